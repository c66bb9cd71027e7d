"""A registry that wants a login, with one image: enough of the distribution API for `docker pull`."""

import base64
import contextlib
import gzip
import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import docker

USER, PASSWORD = "ann", "hush"
NAME, TAG = "private/tool", "1"
_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG = "application/vnd.docker.container.image.v1+json"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


@contextlib.contextmanager
def private_registry(client: docker.DockerClient, image: str) -> Iterator[str]:
    """Reference under which the image can be pulled with USER and PASSWORD; untagged at the end."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(*_contents(client, image)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    reference = f"127.0.0.1:{server.server_port}/{NAME}:{TAG}"
    try:
        yield reference
    finally:
        server.shutdown()
        with contextlib.suppress(docker.errors.ImageNotFound):
            client.images.remove(reference)


def _contents(client: docker.DockerClient, image: str) -> tuple[bytes, dict[str, bytes]]:
    """Manifest, and blobs by digest."""
    with tarfile.open(fileobj=io.BytesIO(b"".join(client.images.get(image).save()))) as saved:

        def read(name: str) -> bytes:
            return saved.extractfile(name).read()  # type: ignore[union-attr]

        (described,) = json.loads(read("manifest.json"))
        config, layers = read(described["Config"]), [gzip.compress(read(name)) for name in described["Layers"]]
    blobs = {f"sha256:{hashlib.sha256(blob).hexdigest()}": blob for blob in (config, *layers)}
    parts = [{"mediaType": _LAYER, "digest": digest, "size": len(blob)} for digest, blob in blobs.items()]
    manifest = {
        "schemaVersion": 2, "mediaType": _MANIFEST, "config": parts[0] | {"mediaType": _CONFIG}, "layers": parts[1:],
    }  # fmt: skip
    return json.dumps(manifest).encode(), blobs


def _handler(manifest: bytes, blobs: dict[str, bytes]) -> type[BaseHTTPRequestHandler]:
    login = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    digest = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
    bodies = {f"/v2/{NAME}/blobs/{name}": (blob, "application/octet-stream") for name, blob in blobs.items()}
    bodies |= dict.fromkeys((f"/v2/{NAME}/manifests/{TAG}", f"/v2/{NAME}/manifests/{digest}"), (manifest, _MANIFEST))
    bodies["/v2/"] = (b"{}", "application/json")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            found = bodies.get(self.path)
            status = 401 if self.headers.get("authorization") != login else 200 if found else 404
            body, kind = found if found and status == 200 else (b"{}", "application/json")
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            if self.path.partition("/manifests/")[1]:
                self.send_header("docker-content-digest", digest)
            if status == 401:
                self.send_header("www-authenticate", 'Basic realm="private"')
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            pass

    return Handler
