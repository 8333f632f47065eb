# For people: `npm run shell -- --stack dev` or `docker exec -it app bash`. Jobs do not read this.
[ -n "$PS1" ] || return
PS1='\h:\w\$ '
if [ -r /run/credentials/store.env ]; then
  set -a
  . /run/credentials/store.env
  set +a
fi
