"""A folder as an object store: as much of S3's API as the contenders' clients use, on loopback.

    python -m engine_comparison.check_gpu.folder_store FOLDER PROCESSES

prints its port, and serves until its standard input ends. So a check needs no server that somebody
has to install, and contenders read and write by the same code as in a run. It is no store to keep
data in: it checks no key and no signature, and lists without paging.

`bucket/key` is the file `FOLDER/bucket/key`; an object whose key ends in a slash is a file `%dir`
there. Objects are written beside and renamed. Nothing is kept in memory, so that several processes
serve one folder.
"""

from __future__ import annotations

import http.client
import os
import shutil
import sys
import uuid
from collections.abc import Iterator
from datetime import datetime, timezone
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

_PARTS, _MARKER = ".parts", "%dir"


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 2**16
    root: ClassVar[Path]

    def do_GET(self) -> None:
        """An object, or what is in a bucket."""
        if not self.key:
            self._list() if "list-type" in self.query else self._answer(200)
            return
        self._send_object(body=True)

    def do_HEAD(self) -> None:
        """Whether there is a bucket or an object, and how large it is."""
        if self.key:
            self._send_object(body=False)
        else:
            self._answer(200 if self.bucket.is_dir() else 404)

    def do_PUT(self) -> None:
        """An object, a part of one, a copy, or a bucket."""
        body = self._body()
        if not self.key:
            self.bucket.mkdir(exist_ok=True)
            self._answer(200)
            return
        source = self.headers.get("x-amz-copy-source")
        if source:
            body = self._file(*_split(unquote(source))).read_bytes()
        if "uploadId" in self.query:
            part = self._upload / f"{int(self.query['partNumber']):05}"
            part.write_bytes(body)
            self._answer(200, headers={"ETag": f'"{part.name}"'})
            return
        etag = self._write(body)
        copied = f"<CopyObjectResult><ETag>{etag}</ETag></CopyObjectResult>" if source else ""
        self._answer(200, copied, {"ETag": etag})

    def do_POST(self) -> None:
        """The begin or end of an upload in parts, or the removal of several objects."""
        body = self._body()
        if "uploads" in self.query:
            name = uuid.uuid4().hex
            (self.root / _PARTS / name).mkdir(parents=True)
            said = f"<UploadId>{name}</UploadId>"
            self._answer(200, _xml("InitiateMultipartUploadResult", said))
        elif "uploadId" in self.query:
            parts = sorted(self._upload.iterdir())
            etag = self._write(b"".join(part.read_bytes() for part in parts))
            shutil.rmtree(self._upload)
            said = f"<ETag>{etag}</ETag>"
            self._answer(200, _xml("CompleteMultipartUploadResult", said))
        else:
            for one in ElementTree.fromstring(body).iter():
                if one.tag.rpartition("}")[2] == "Key":
                    self._file(self.bucket.name, one.text or "").unlink(missing_ok=True)
            self._answer(200, _xml("DeleteResult", ""))

    def do_DELETE(self) -> None:
        """An object, or an upload in parts."""
        if "uploadId" in self.query:
            shutil.rmtree(self._upload, ignore_errors=True)
        else:
            self._path.unlink(missing_ok=True)
        self._answer(204)

    def parse_request(self) -> bool:
        """Take bucket, key and parameters out of the address."""
        if not super().parse_request():
            return False
        parts = urlsplit(self.path)
        try:
            name, self.key = _split(unquote(parts.path))
        except PermissionError:
            self.send_error(404)
            return False
        self.bucket = self.root / name
        asked = parse_qs(parts.query, keep_blank_values=True)
        self.query = {key: values[0] for key, values in asked.items()}
        return True

    def handle_expect_100(self) -> bool:
        """Tell a client that waits for it to go on."""
        super().handle_expect_100()
        self.wfile.flush()
        return True

    @property
    def _path(self) -> Path:
        return self._file(self.bucket.name, self.key)

    @property
    def _upload(self) -> Path:
        return self.root / _PARTS / self.query["uploadId"]

    def _file(self, bucket: str, key: str) -> Path:
        """The file of an object."""
        return self.root / bucket / (f"{key}{_MARKER}" if key.endswith("/") else key)

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            body = b"".join(self._http_chunks())
        else:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
        signed = self.headers.get("x-amz-content-sha256", "")
        chunked = "aws-chunked" in self.headers.get("content-encoding", "")
        return b"".join(_chunks(body)) if chunked or signed.startswith("STREAMING") else body

    def _http_chunks(self) -> Iterator[bytes]:
        """What is in a body in chunks of HTTP's, to its end."""
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass

    def _write(self, content: bytes) -> str:
        file = self._path
        file.parent.mkdir(parents=True, exist_ok=True)
        part = self.root / f".{uuid.uuid4().hex}"
        part.write_bytes(content)
        part.replace(file)
        return _etag(file.stat())

    def _send_object(self, body: bool) -> None:
        try:
            with self._path.open("rb") as file:
                about = os.fstat(file.fileno())
                size = about.st_size
                first, last = self._range(size)
                file.seek(first)
                content = file.read(last - first + 1) if body else b""
        except OSError:
            said = "<Error><Code>NoSuchKey</Code></Error>" if body else ""
            self._answer(404, said)
            return
        headers = {
            "ETag": _etag(about),
            "Last-Modified": formatdate(about.st_mtime, usegmt=True),
            "Content-Type": "application/octet-stream",
            "Accept-Ranges": "bytes",
        }
        if "range" in self.headers:
            headers["Content-Range"] = f"bytes {first}-{last}/{size}"
        self._answer(206 if "range" in self.headers else 200, content, headers, last - first + 1)

    def _range(self, size: int) -> tuple[int, int]:
        """The first and the last byte that are asked for."""
        first, _, last = self.headers.get("range", "bytes=0-").removeprefix("bytes=").partition("-")
        if not first:
            return max(0, size - int(last)), size - 1
        return int(first), min(size - 1, int(last)) if last else size - 1

    def _list(self) -> None:
        prefix, delimiter = self.query.get("prefix", ""), self.query.get("delimiter", "")
        found, folders = [], set()
        for key, file in _objects(self.bucket):
            if not key.startswith(prefix):
                continue
            head, cut, _ = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
            if cut:
                folders.add(f"{prefix}{head}{cut}")
            else:
                found.append((key, file.stat()))
        found = found[: int(self.query.get("max-keys", len(found)))]
        contents = [
            f"<Contents><Key>{escape(key)}</Key><Size>{about.st_size}</Size>"
            f"<ETag>{escape(_etag(about))}</ETag><LastModified>{_iso(about)}</LastModified>"
            "<StorageClass>STANDARD</StorageClass></Contents>"
            for key, about in found
        ]
        contents += [
            f"<CommonPrefixes><Prefix>{escape(one)}</Prefix></CommonPrefixes>"
            for one in sorted(folders)
        ]
        counted = f"<KeyCount>{len(contents)}</KeyCount><IsTruncated>false</IsTruncated>"
        named = f"<Name>{escape(self.bucket.name)}</Name><Prefix>{escape(prefix)}</Prefix>"
        self._answer(200, _xml("ListBucketResult", named + counted + "".join(contents)))

    def _answer(
        self,
        status: int,
        body: str | bytes = b"",
        headers: dict[str, str] | None = None,
        size: int | None = None,
    ) -> None:
        content = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != http.client.NO_CONTENT:
            self.send_header("Content-Length", str(len(content) if size is None else size))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _split(path: str) -> tuple[str, str]:
    """Bucket and key of `/bucket/key`.

    Raises:
        PermissionError: It would lead out of the folder.
    """
    if ".." in Path(path).parts:
        raise PermissionError(path)
    bucket, _, key = path.lstrip("/").partition("/")
    return bucket, key


def _chunks(body: bytes) -> Iterator[bytes]:
    """What is in an aws-chunked body: `size;extension CRLF data CRLF`, up to a size of 0."""
    at = 0
    while True:
        end = body.index(b"\r\n", at)
        size = int(body[at:end].partition(b";")[0], 16)
        if size == 0:
            return
        yield body[end + 2 : end + 2 + size]
        at = end + 2 + size + 2


def _objects(bucket: Path) -> Iterator[tuple[str, Path]]:
    """All keys of a bucket with their files, sorted."""
    files = [Path(folder, name) for folder, _, names in os.walk(bucket) for name in names]
    keys = ((str(file.relative_to(bucket)).removesuffix(_MARKER), file) for file in files)
    yield from sorted(keys)


def _etag(about: os.stat_result) -> str:
    return f'"{about.st_mtime_ns:x}-{about.st_size:x}"'


def _iso(about: os.stat_result) -> str:
    moment = datetime.fromtimestamp(about.st_mtime, timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _xml(name: str, content: str) -> str:
    space = "http://s3.amazonaws.com/doc/2006-03-01/"
    return f'<?xml version="1.0" encoding="UTF-8"?><{name} xmlns="{space}">{content}</{name}>'


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512


def main(folder: str, processes: str) -> None:
    """Serve until nobody is left."""
    Handler.root = Path(folder)
    server = _Server(("127.0.0.1", 0), Handler)
    children = []
    for _ in range(int(processes)):
        child = os.fork()
        if child == 0:
            server.serve_forever()
        children.append(child)
    print(server.server_address[1], flush=True)
    sys.stdin.read()
    for child in children:
        os.kill(child, 9)


if __name__ == "__main__":
    main(*sys.argv[1:])
