"""The limit: one JSON route of Starlette under the same uvicorn, which answers the same few bytes to everybody."""

import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

ANSWER = {
    "bundle": "0123456789abcdef",
    "item": "i01999",
    "neighbours": [{"item": f"i{number:05}", "score": 0.987654} for number in range(10)],
}


async def answer(_: Request) -> JSONResponse:
    return JSONResponse(ANSWER)


if __name__ == "__main__":
    application = Starlette(routes=[Route("/v1/items/{item}/similar", answer)])
    uvicorn.run(application, host="127.0.0.1", port=int(sys.argv[1]), access_log=False, log_level="warning")
