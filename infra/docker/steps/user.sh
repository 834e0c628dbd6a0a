#!/bin/sh
# The user that everything runs as, and the one folder that it may write to:  user.sh [ROOT]
# ROOT is another root folder than /, to try it out.
set -eu
root=${1:-}
id=10001 home=/var/lib/earmark

echo "earmark:x:$id:$id:Earmark:$home:/usr/sbin/nologin" >>"$root/etc/passwd"
echo "earmark:x:$id:" >>"$root/etc/group"
mkdir -p "$root$home" "$root/run/secrets/earmark"
chmod 0750 "$root$home"
if [ "$(id -u)" = 0 ]; then chown "$id:$id" "$root$home"; fi
