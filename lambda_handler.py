"""Serve on AWS Lambda: the function's handler is `lambda_handler.handler`. How to deploy it stands in docs/lambda.md.

    from mangum import Mangum
    from main_http import app

    handler = Mangum(app)

would do too. The handler below also keeps to the function's deadline, and answers events that are no HTTP requests.
"""

from main_http import app
from mcp_server.aws_lambda import LambdaHandler

handler = LambdaHandler(app, flush=app.state.calls.flush)
