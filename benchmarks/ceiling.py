"""A server that evaluates nothing: it reads the request and answers the same bytes, ready, every time.

Asked beside the real server in one run, it shows the most that any evaluation could reach behind this HTTP server and
with this load generator. Run by ``benchmarks/evaluate_peers.py``, with the answer's file in CEILING_ANSWER.
"""

import os
from pathlib import Path
from typing import Any

ANSWER = Path(os.environ["CEILING_ANSWER"]).read_bytes()
HEADERS = [("content-type", "application/json")]


async def app(scope: Any, exchange: Any) -> None:
    del scope
    await exchange()
    exchange.response_bytes(200, HEADERS, ANSWER)
