"""`python -m modelship_service.health`: exit code 0 when the service on this machine is ready, else 1."""

import http.client
import os
import sys


def main() -> int:
    host = os.environ.get("MODELSHIP_HOST", "")
    local = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    connection = http.client.HTTPConnection(local, int(os.environ.get("MODELSHIP_PORT") or 8080), timeout=4)
    try:
        connection.request("GET", "/readyz", headers={"connection": "close"})
        return 0 if connection.getresponse().status == 200 else 1
    except (OSError, http.client.HTTPException):
        return 1


if __name__ == "__main__":
    sys.exit(main())
