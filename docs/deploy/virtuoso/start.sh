#!/bin/bash
# Starts Virtuoso in the present folder. The first time it gives dba a random password, kept in `dba-password`, and
# makes the user of slmkg, while nobody can reach it over HTTP.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
sql=127.0.0.1:1111

if [ ! -e made ]; then
    : "${SLMKG_STORE_USER:?set it in slmkg.env}" "${SLMKG_STORE_PASSWORD:?set it in slmkg.env}"
    case $SLMKG_STORE_USER$SLMKG_STORE_PASSWORD in
        *[!A-Za-z0-9._-]*) echo "user and password may hold letters, digits and . _ - only" >&2; exit 2 ;;
    esac
    rm -f virtuoso.db virtuoso.lck virtuoso.trx virtuoso.pxa temporary.db temporary.trx
    password=$(od -An -N8 -tx1 /dev/urandom | tr -d ' \n') # 16 digits: with more than that nobody can log in
    (umask 077 && printf '%s\n' "$password" >dba-password)
    sed '/^\[HTTPServer\]/,/^$/d' "$here/virtuoso.ini" >first.ini
    virtuoso-t +foreground +configfile first.ini +pwdold dba +pwddba "$password" +pwddav "$password"
    virtuoso-t +foreground +configfile first.ini &
    server=$!
    (umask 077 && cat >first.sql) <<SQL
DB.DBA.USER_CREATE('$SLMKG_STORE_USER', '$SLMKG_STORE_PASSWORD');
GRANT SPARQL_SELECT TO "$SLMKG_STORE_USER";
GRANT SPARQL_UPDATE TO "$SLMKG_STORE_USER";
DB.DBA.RDF_DEFAULT_USER_PERMS_SET('$SLMKG_STORE_USER', 7);
DB.DBA.RDF_DEFAULT_USER_PERMS_SET('nobody', 1);
checkpoint;
SQL
    for _ in $(seq 60); do
        sleep 1
        said=$(isql-vt "$sql" dba "$password" first.sql 2>&1) || true
        case $said in *"Connect failed"*) continue ;; *) break ;; esac
    done
    kill "$server"
    wait "$server" || true
    rm -f first.ini first.sql
    case $said in *"***"*) echo "$said" >&2; exit 1 ;; esac
    touch made
fi
rm -f virtuoso.lck # of a Virtuoso that was killed: this volume has one container
exec virtuoso-t +foreground +configfile "$here/virtuoso.ini"
