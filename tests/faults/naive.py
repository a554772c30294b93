"""The control: the usual bridge, built from the libraries' defaults. It must lose.

``agent`` publishes numbered points at quality of service 1 and remembers how far it came;
``bridge`` hands each message to influxdb-client's batching writer. The same kills hit both.
"""

import sys
import time
from itertools import count
from pathlib import Path
from typing import Final

import paho.mqtt.client as mqtt
from influxdb_client.client.influxdb_client import InfluxDBClient
from paho.mqtt.enums import CallbackAPIVersion

TOPIC: Final = "naive/points"
DATABASE: Final = "naive"
FIRST_MS: Final = 1_700_000_000_000


def agent(port: int, place: Path, rate: float, total: int) -> None:
    """Publish point after point; where it is started again, it goes on behind the last."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    while True:
        try:
            client.connect("127.0.0.1", port)
            break
        except OSError:
            time.sleep(0.1)
    client.loop_start()
    begin = int(place.read_text()) if place.exists() and place.read_text() else 0
    started = time.monotonic()
    for n in range(begin, total):
        client.publish(TOPIC, f"point n={n} {(FIRST_MS + n) * 1_000_000}", qos=1)
        place.write_text(str(n + 1))
        time.sleep(max(0.0, started + (n + 1 - begin) / rate - time.monotonic()))
    for _ in count():
        time.sleep(1)


def bridge(broker_port: int, store_port: int) -> None:
    """Write what arrives."""
    store = InfluxDBClient(f"http://127.0.0.1:{store_port}", token="", org="-")
    writer = store.write_api()
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.on_connect = lambda c, *_: c.subscribe(TOPIC, 1)
    client.on_message = lambda _c, _u, m: writer.write(DATABASE, record=m.payload.decode())
    while True:
        try:
            client.connect("127.0.0.1", broker_port)
            break
        except OSError:
            time.sleep(0.1)
    client.loop_forever()


if __name__ == "__main__":
    role, *given = sys.argv[1:]
    if role == "agent":
        agent(int(given[0]), Path(given[1]), float(given[2]), int(given[3]))
    else:
        bridge(int(given[0]), int(given[1]))
