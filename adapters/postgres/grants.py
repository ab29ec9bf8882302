"""Who may read a live table may read the one that takes its place."""

from __future__ import annotations

from typing import Final

from adapters.postgres.pool import Conn

_GRANTS: Final = """
WITH live AS (
    SELECT pg_class.oid, relname, relowner, relacl
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname = %(live)s AND relname = %(table)s
),
granted AS (
    SELECT format('%%s ON SCHEMA %%I', acl.privilege_type, %(next)s::text) AS what, acl.grantee, acl.is_grantable
    FROM pg_namespace, aclexplode(nspacl) AS acl
    WHERE nspname = %(live)s AND acl.grantee <> nspowner
    UNION ALL
    SELECT format('%%s ON %%I.%%I', acl.privilege_type, %(next)s::text, relname), acl.grantee, acl.is_grantable
    FROM live, aclexplode(relacl) AS acl
    WHERE acl.grantee <> relowner
    UNION ALL
    SELECT format('%%s (%%I) ON %%I.%%I', acl.privilege_type, old.attname, %(next)s::text, relname),
        acl.grantee, acl.is_grantable
    FROM live
    JOIN pg_attribute AS old ON old.attrelid = live.oid AND NOT old.attisdropped
    JOIN pg_attribute AS new ON new.attname = old.attname AND NOT new.attisdropped
        AND new.attrelid = to_regclass(format('%%I.%%I', %(next)s::text, relname)),
        aclexplode(old.attacl) AS acl
    WHERE acl.grantee <> relowner
)
SELECT format('GRANT %%s TO ', what)
    || CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END
    || CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
FROM granted
"""


def copy_grants(connection: Conn, live: str, following: str, table: str) -> None:
    """Grant on a schema, a table in it, and its columns, what is granted on those of the live schema."""
    names = {"live": live, "next": following, "table": table}
    for (statement,) in connection.execute(_GRANTS, names).fetchall():
        connection.execute(str(statement).encode())
