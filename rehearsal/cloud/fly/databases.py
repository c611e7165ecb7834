"""Finds the Managed Postgres database behind a DATABASE_URL, as the server in a machine connects to it."""

from urllib.parse import unquote, urlsplit

from rehearsal.cloud.store import Store


def database_of(store: Store, url: str) -> tuple[str, str] | None:
    """Cluster id and name of the database that `url` connects to; None when host, user, password or database is wrong."""
    parts = urlsplit(url)
    cluster = store.get("fly_postgres", (parts.hostname or "").removesuffix(".flympg.net").rpartition(".")[2])
    if cluster is None or cluster["_gone_at"] is not None:
        return None
    user = cluster["_users"].get(unquote(parts.username or ""))
    name = parts.path.lstrip("/")
    known = user and user["password"] == unquote(parts.password or "") and name in cluster["_databases"]
    return (cluster["id"], name) if known else None
