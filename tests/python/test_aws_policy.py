"""The pipelines' policies for AWS, word for word, enforced by MinIO on temporary keys of STS.

What they allow and refuse is the table in docs/cluster.md.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from clusters import ray_access
from jobs import (
    IN_PROCESS,
    PACKAGE,
    minio_server,
    put_folder,
    run_job,
    spec_of,
    write_oracles,
)
from minio import Minio, MinioAdmin
from minio.commonconfig import ENABLED, Tags
from minio.credentials import AssumeRoleProvider, StaticProvider
from minio.error import MinioAdminException, S3Error
from minio.sseconfig import Rule, SSEConfig
from minio.versioningconfig import VersioningConfig

from engine_comparison.datasets.sample import photos
from engine_comparison.store import open_store

CHECKOUT = PACKAGE.parents[1]
PURPOSES = ("lake", "images", "warehouse", "output")
CLAIM = ".engine-comparison.json"
FOREIGN = "not-of-the-stack"
ROLE = "role"
"""The user with the policies of all four buckets, as the pipelines' role has them."""


@dataclass(frozen=True)
class Account:
    """A store with the stack's buckets and the users that stand for roles."""

    root: dict[str, Any]
    given: dict[str, Any]
    """By purpose: the bucket, its prefixes and its policy, as the stack declares them."""
    users: dict[str, str]

    @property
    def buckets(self) -> dict[str, str]:
        return {purpose: given["bucket"] for purpose, given in self.given.items()}

    def session(self, user: str) -> dict[str, Any]:
        """The `store` object of a spec, with temporary keys of a user."""
        keys = AssumeRoleProvider(
            sts_endpoint=self.root["endpoint"],
            access_key=user,
            secret_key=self.users[user],
            duration_seconds=3600,
            region=self.root["region"],
        ).retrieve()
        return {
            **self.root,
            "accessKey": keys.access_key,
            "secretKey": keys.secret_key,
            "sessionToken": keys.session_token,
        }


def client_of(store: dict[str, Any], kind: type[Any] = Minio) -> Any:
    keys = StaticProvider(store["accessKey"], store["secretKey"], store.get("sessionToken"))
    address = store["endpoint"].removeprefix("http://")
    return kind(endpoint=address, region=store["region"], secure=False, credentials=keys)


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    if not shutil.which("node") or not (CHECKOUT / "node_modules").exists():
        pytest.skip("the policies are the program's, which takes Node and its packages")
    printed = subprocess.run(
        ["node", "--import", "tsx", "tests/policies.ts"],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    given = json.loads(printed.stdout)
    with minio_server(tmp_path_factory.mktemp("aws")) as root:
        made = Account(root, given, {user: secrets.token_hex(16) for user in (*PURPOSES, ROLE)})
        admin, client = client_of(root, MinioAdmin), client_of(root)
        for purpose, one in given.items():
            file = tmp_path_factory.mktemp("policy") / "policy.json"
            file.write_text(json.dumps(one["policy"]))
            admin.policy_add(purpose, str(file))
            client.make_bucket(one["bucket"])
        client.make_bucket(FOREIGN)
        for bucket in (*made.buckets.values(), FOREIGN):
            client.put_object(bucket, "beside/theirs", io.BytesIO(b"x"), 1)
        for user, password in made.users.items():
            admin.user_add(user, password)
            admin.attach_policy(PURPOSES if user == ROLE else [user], user=user)
        yield made


@dataclass(frozen=True)
class Place:
    """Where an action is tried, and by whom."""

    client: Minio
    admin: MinioAdmin
    bucket: str
    prefixes: tuple[str, ...]
    other: str
    """The bucket of another purpose."""

    @property
    def kept(self) -> str:
        """An object that is there, under a prefix."""
        return f"{self.prefixes[0]}kept"


def put(place: Place, bucket: str, key: str) -> None:
    place.client.put_object(bucket, key, io.BytesIO(b"x"), 1)


def read(place: Place, bucket: str, key: str) -> None:
    place.client.get_object(bucket, key).read()


def use(place: Place, key: str) -> None:
    put(place, place.bucket, key)
    place.client.stat_object(place.bucket, key)
    read(place, place.bucket, key)
    place.client.remove_object(place.bucket, key)


def in_parts(place: Place, key: str) -> None:
    upload = place.client._create_multipart_upload(place.bucket, key, {})
    place.client._upload_part(place.bucket, key, b"x", {}, upload, 1)
    assert len(place.client._list_parts(place.bucket, key, upload).parts) == 1
    place.client._list_multipart_uploads(place.bucket)
    place.client._abort_multipart_upload(place.bucket, key, upload)


def list_of(bucket: Callable[[Place], str]) -> Callable[[Place], Any]:
    return lambda place: list(place.client.list_objects(bucket(place), recursive=True))


def others_in_list(place: Place) -> None:
    """MinIO lists only those that a user may look into; AWS refuses the request."""
    if FOREIGN not in {bucket.name for bucket in place.client.list_buckets()}:
        raise PermissionError


def some_tags() -> Tags:
    tags = Tags.new_object_tags()
    tags["a"] = "b"
    return tags


# MinIO takes s3:DeleteObject for a version, too, so that is not here; tests/property has it.
ACTIONS: dict[str, list[Callable[[Place], Any]]] = {
    "list the bucket": [
        list_of(lambda place: place.bucket),
        lambda place: place.client._execute("GET", place.bucket, query_params={"location": ""}),
    ],
    "read, write and remove what is under its prefixes": [
        lambda place: [use(place, f"{prefix}x") for prefix in place.prefixes],
    ],
    "upload to there in parts, list the parts and abort": [
        lambda place: [in_parts(place, f"{prefix}x") for prefix in place.prefixes],
    ],
    "read, write and remove the claim": [lambda place: use(place, CLAIM)],
    "read, write or remove what is beside them": [
        lambda place: read(place, place.bucket, "beside/theirs"),
        lambda place: put(place, place.bucket, "beside/new"),
        lambda place: put(place, place.bucket, f"{CLAIM}.old"),
        lambda place: place.client.remove_object(place.bucket, "beside/theirs"),
        lambda place: in_parts(place, "beside/new"),
    ],
    "tag an object, or read its tags": [
        lambda place: place.client.set_object_tags(place.bucket, place.kept, some_tags()),
        lambda place: place.client.get_object_tags(place.bucket, place.kept),
    ],
    "list the bucket of another purpose": [list_of(lambda place: place.other)],
    "list, read or write another stack's bucket": [
        list_of(lambda _: FOREIGN),
        others_in_list,
        lambda place: read(place, FOREIGN, "beside/theirs"),
        lambda place: put(place, FOREIGN, f"{place.prefixes[0]}x"),
        lambda place: place.client.remove_object(FOREIGN, "beside/theirs"),
    ],
    "create or delete a bucket": [
        lambda place: place.client.make_bucket("one-more"),
        lambda place: place.client.remove_bucket(place.bucket),
    ],
    "change a bucket's policy, encryption, versioning or lifecycle": [
        lambda place: place.client.set_bucket_policy(place.bucket, "{}"),
        lambda place: place.client.delete_bucket_policy(place.bucket),
        lambda place: place.client.set_bucket_encryption(
            place.bucket, SSEConfig(Rule.new_sse_s3_rule())
        ),
        lambda place: place.client.set_bucket_versioning(place.bucket, VersioningConfig(ENABLED)),
        lambda place: place.client.delete_bucket_lifecycle(place.bucket),
    ],
    "create a user, or give one a policy": [
        lambda place: place.admin.user_add("another", "another-secret"),
        lambda place: place.admin.attach_policy(["readwrite"], user=ROLE),
    ],
}


def allowed(action: Callable[[Place], Any], place: Place) -> bool:
    """Whether the store does it; any error but a refusal is raised."""
    try:
        action(place)
    except PermissionError:
        return False
    except S3Error as error:
        if error.code != "AccessDenied":
            raise
        return False
    except MinioAdminException as error:
        if "AccessDenied" not in str(error):
            raise
        return False
    return True


def documented() -> dict[str, tuple[str, str]]:
    """The table: an action, and what it is with one bucket's policy and with all four."""
    page = (CHECKOUT / "docs" / "cluster.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([^|]+?) +\| (allowed|refused) +\| (allowed|refused) +\|$", page, re.M)
    return {action: (one, all_four) for action, one, all_four in rows}


def test_the_documentation_has_every_action():
    assert list(documented()) == list(ACTIONS)


@pytest.mark.parametrize("purpose", PURPOSES)
@pytest.mark.parametrize("holder", ["one policy", ROLE])
def test_the_policy_allows_what_the_documentation_says(account: Account, holder: str, purpose: str):
    session = account.session(ROLE if holder == ROLE else purpose)
    place = Place(
        client=client_of(session),
        admin=client_of(session, MinioAdmin),
        bucket=account.buckets[purpose],
        prefixes=tuple(account.given[purpose]["prefixes"]),
        other=account.buckets[PURPOSES[PURPOSES.index(purpose) - 1]],
    )
    put(place, place.bucket, place.kept)
    found = {
        name: {("refused", "allowed")[allowed(action, place)] for action in actions}
        for name, actions in ACTIONS.items()
    }
    place.client.remove_object(place.bucket, place.kept)
    column = 1 if holder == ROLE else 0
    assert found == {action: {row[column]} for action, row in documented().items()}


def test_temporary_keys_are_nothing_without_their_token(account: Account):
    session = account.session(ROLE)
    bucket = account.buckets["lake"]
    assert list(client_of(session).list_objects(bucket))
    with pytest.raises(S3Error):
        list(client_of({**session, "sessionToken": None}).list_objects(bucket))


@pytest.fixture(scope="module")
def data(
    account: Account,
    store_folder: Path,
    model_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """The sample datasets and the oracles' answers, all written with the role's keys."""
    session, buckets = account.session(ROLE), account.buckets
    store = open_store(session)
    put_folder(store, store_folder / "lake", buckets["lake"])
    folder = tmp_path_factory.mktemp("photos")
    photos.generate(folder, {"photos": "20", "seed": "1", "bucket": buckets["images"]})
    put_folder(store, folder, buckets["images"])
    write_oracles(session, model_folder, buckets)


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize(("engine", "workload", "decoder"), IN_PROCESS)
def test_a_run_is_verified_with_the_roles_temporary_keys(
    account: Account,
    model_folder: Path,
    tmp_path: Path,
    engine: str,
    workload: str,
    decoder: str,
):
    session = account.session(ROLE)
    spec = spec_of(session, model_folder, workload, account.buckets, decoder=decoder)
    *_, result = run_job({**spec, "engine": engine, "scratch": str(tmp_path)})
    assert result["event"] == "result", result
    assert result["verified"]


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize("dataset", ["taxi", "photos"])
def test_a_dataset_is_inspected_with_them(account: Account, tmp_path: Path, dataset: str):
    spec = {
        "store": account.session(ROLE),
        "scratch": str(tmp_path),
        "dataset": dataset,
        "buckets": account.buckets,
        "inputs": {"maxRejected": "3"},
    }
    *_, result = run_job(spec, module="engine_comparison.inspection.step")
    assert result["event"] == "result", result
    assert result["facts"]


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize(
    ("engine", "workload"),
    [
        ("spark", "taxi-report"),
        pytest.param("ray", "taxi-report", marks=pytest.mark.long),
        ("ray", "image-predictions"),
        ("spark", "image-embeddings"),
    ],
)
def test_a_clusters_run_is_verified_with_them(
    account: Account,
    model_folder: Path,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    engine: str,
    workload: str,
):
    cluster = request.getfixturevalue({"spark": "spark_master", "ray": "ray_head"}[engine])
    spec = spec_of(account.session(ROLE), model_folder, workload, account.buckets, decoder="pillow")
    given = {"engine": engine, engine: cluster, "scratch": str(tmp_path)}
    access = ray_access(cluster["tokenFile"]) if engine == "ray" else {"OMP_NUM_THREADS": "1"}
    *_, result = run_job({**spec, **given}, environment=access)
    assert result["event"] == "result", result
    assert result["verified"]


def test_the_stacks_steps_claim_fill_and_release_a_bucket_with_them(
    account: Account, tmp_path: Path
):
    session = account.session(ROLE)
    keys = {
        "AccessKeyId": session["accessKey"],
        "SecretAccessKey": session["secretKey"],
        "SessionToken": session["sessionToken"],
    }
    cli = tmp_path / "bin" / "aws"
    cli.parent.mkdir()
    cli.write_text(f"#!/bin/sh\necho '{json.dumps({'Credentials': keys})}'\n")
    cli.chmod(0o755)
    stack = tmp_path / "home" / "prod"
    (stack / "records").mkdir(parents=True)
    (stack / "owner.json").write_text(json.dumps({"id": "the-stack"}))
    record = {
        **{key: account.root[key] for key in ("endpoint", "region", "pathStyle")},
        "store": "aws",
        "certificates": None,
        "role": "arn:aws:iam::123456789012:role/pipelines",
        "buckets": account.buckets,
    }
    written = {"generation": "1", "result": record}
    (stack / "records" / "object-store.json").write_text(json.dumps(written))

    def step(kind: str, verb: str, **spec: Any) -> None:
        subprocess.run(
            ["node", "--require", "tsx/cjs", "steps.mjs", kind, verb],
            cwd=CHECKOUT,
            env={
                "PATH": f"{cli.parent}:{os.environ['PATH']}",
                "HOME": str(tmp_path),
                "ENGINE_COMPARISON_HOME": str(stack.parent),
                "ENGINE_COMPARISON_CACHE": str(tmp_path / "cache"),
                "ENGINE_COMPARISON_STACK": "prod",
                "STEP": kind,
                "SPEC": json.dumps({"bucket": bucket, **spec}),
            },
            check=True,
        )

    bucket = account.buckets["warehouse"]
    prefixes = account.given["warehouse"]["prefixes"]
    prefix = prefixes[0]
    client = client_of(account.root)

    def stored() -> set[str]:
        return {one.object_name for one in client.list_objects(bucket, recursive=True)}

    for name in stored() - {"beside/theirs"}:
        client.remove_object(bucket, name)
    step("s3-bucket", "create", prefixes=prefixes)
    assert json.loads(client.get_object(bucket, CLAIM).read())["id"] == "the-stack"

    folder = tmp_path / "cache" / "datasets" / "some" / "v"
    (folder / prefix).mkdir(parents=True)
    (folder / prefix / "file").write_bytes(b"x")
    entry = {"path": f"{prefix}file", "bytes": 1, "sha256": hashlib.sha256(b"x").hexdigest()}
    (folder / "manifest.json").write_text(json.dumps([entry]))
    step("upload", "create", dataset="some", version="v", owns=[prefix])
    client.put_object(bucket, f"{prefix}engine=x/part", io.BytesIO(b"x"), 1)
    step("output-prefix", "delete", prefix=f"{prefix}engine=x/")
    assert stored() == {CLAIM, "beside/theirs", f"{prefix}file"}

    for _ in range(2):
        step("s3-bucket", "delete", prefixes=prefixes)
    assert stored() == {"beside/theirs"}
