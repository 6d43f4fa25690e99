"""The tool on AWS Lambda, with FastMCP and Mangum; run by a Python that has both."""
# pyright: reportMissingImports=false, reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false

from fastmcp import FastMCP
from mangum import Mangum

from benchmarks.servers import tools

server = FastMCP("benchmark")
server.tool(tools.add)
app = server.http_app(json_response=True, stateless_http=True)
handler = Mangum(app)
