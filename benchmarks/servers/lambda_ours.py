"""The tool on AWS Lambda, with this library."""

from benchmarks.servers import tools
from mcp_server import Server

server = Server("benchmark", lint="off")
server.tool(tools.add)
handler = server.lambda_handler()
