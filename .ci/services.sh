# Servers for the tests, to be sourced. Each is started on a free port of the
# loopback address with a new data directory, and gone at the end.
# shellcheck shell=bash

services=()

# keep_service PID: stop it with the others.
keep_service() { services+=("$1"); }

# stop_services stops what was started, the last first.
stop_services() {
  local i
  for ((i = ${#services[@]} - 1; i >= 0; i--)); do
    kill "${services[i]}" 2>/dev/null || continue
    wait "${services[i]}" 2>/dev/null || true
  done
  services=()
}

# free_port prints a port that nobody listens on.
free_port() {
  local port
  while port=$((RANDOM % 20000 + 20000)); do
    (: >"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
  done
  echo "$port"
}

# wait_for COMMAND...: tries it for at most 30 seconds.
wait_for() {
  local _
  for _ in {1..300}; do
    "$@" >/dev/null 2>&1 && return
    sleep 0.1
  done
  return 1
}

# find_program NAME...: prints where the first one that exists is.
find_program() {
  local name
  for name; do
    command -v "$name" && return
  done
  # Debian keeps the server out of PATH, a folder for each version.
  find /usr/lib/postgresql -path "*/bin/$1" 2>/dev/null | sort -V | tail -n 1 | grep .
}

# start_postgres DIR [OPTION...]: exports ASHLAR_TEST_POSTGRES_URL.
start_postgres() {
  local dir=$1 port bin as=()
  shift
  port=$(free_port)
  bin=$(dirname "$(readlink -f "$(find_program postgres)")")
  mkdir "$dir"
  if [ "$(id -u)" = 0 ]; then # PostgreSQL refuses to run as root
    as=(setpriv --reuid=postgres --regid=postgres --clear-groups)
    chown postgres "$dir"
  fi
  "${as[@]}" "$bin/initdb" -D "$dir/data" -U ashlar --auth=trust -E UTF8 --locale=C.UTF-8 >"$dir.log" 2>&1 || { cat "$dir.log"; return 1; }
  "${as[@]}" "$bin/postgres" -D "$dir/data" -p "$port" -c listen_addresses=127.0.0.1 \
    -c unix_socket_directories='' -c max_connections=200 "$@" >>"$dir.log" 2>&1 &
  keep_service $!
  wait_for "$bin/pg_isready" -h 127.0.0.1 -p "$port" || { cat "$dir.log"; return 1; }
  export ASHLAR_TEST_POSTGRES_URL="postgres://ashlar@127.0.0.1:$port/postgres?sslmode=disable"
}

# start_redis DIR: exports ASHLAR_TEST_REDIS_URL.
start_redis() {
  local dir=$1 port
  port=$(free_port)
  mkdir "$dir"
  redis-server --bind 127.0.0.1 --port "$port" --dir "$dir" --save '' >"$dir.log" 2>&1 &
  keep_service $!
  wait_for redis-cli -h 127.0.0.1 -p "$port" ping || { cat "$dir.log"; return 1; }
  export ASHLAR_TEST_REDIS_URL="redis://127.0.0.1:$port/0"
}
