"""The tool on AWS Lambda, with the official SDK and Mangum."""

from mangum import Mangum
from mcp.server.mcpserver import MCPServer

from benchmarks.servers import tools

server = MCPServer("benchmark", log_level="WARNING")
server.add_tool(tools.add)
app = server.streamable_http_app(json_response=True, stateless_http=True, host="0.0.0.0")
handler = Mangum(app)
