#!/usr/bin/env bash
# A real S3 server for tests: the gateway of Ceph with one monitor and one store in memory, on 127.0.0.1.
#
#   scripts/start-radosgw.sh DIR          starts it below DIR, which must not exist, and prints the variables
#                                         that packages/store-s3/test/real-server.test.ts and
#                                         test/real-store-events.test.ts read
#   scripts/start-radosgw.sh --stop DIR   ends its processes, by the pids that they wrote, and removes DIR
#
# Needs Debian's packages radosgw, ceph-mon, ceph-osd and ceph-common (--no-install-recommends), and node.
set -euo pipefail

stop() {
  local dir=$1 file pid
  # The gateway first: it waits for the others.
  for file in "$dir"/client.rgw.pid "$dir"/osd.0.pid "$dir"/mon.a.pid; do
    [ -s "$file" ] || continue
    pid=$(cat "$file")
    kill "$pid" 2>/dev/null || continue
    for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    kill -9 "$pid" 2>/dev/null || true
  done
  rm -rf "$dir"
}

# wait_for SECONDS COMMAND…: until it succeeds.
wait_for() {
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$end" ] || { echo "gave up waiting for: $*" >&2; return 1; }
    sleep 0.2
  done
}

if [ "${1:-}" = --stop ]; then
  stop "$2"
  exit
fi

dir=$(realpath -m "$1")
[ ! -e "$dir" ] || { echo "$dir exists" >&2; exit 1; }
mkdir -p "$dir"/{mon,osd,log}
started=no
trap '[ "$started" = yes ] || { tail -n 20 "$dir"/log/*.log >&2 || true; stop "$dir"; }' EXIT

free_port() {
  node -e 'const s=require("net").createServer().listen(0,"127.0.0.1",()=>{console.log(s.address().port);s.close()})'
}
port=$(free_port)
monitor_port=$(free_port)
fsid=$(cat /proc/sys/kernel/random/uuid)

# Plain text on the wire: without `secure` beside `crc` the client of this version waits for ever. One copy of
# everything, no authentication between the parts, no manager.
cat >"$dir/ceph.conf" <<CONF
[global]
fsid = $fsid
mon_host = [v2:127.0.0.1:$monitor_port/0]
mon_initial_members = a
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_msgr1 = false
ms_mon_client_mode = crc secure
ms_mon_service_mode = crc secure
ms_mon_cluster_mode = crc secure
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 8
osd_pool_default_pgp_num = 8
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 2000
mon_data_avail_warn = 2
mon_data_avail_crit = 1
mon_data = $dir/mon
osd_data = $dir/osd
run_dir = $dir
admin_socket =
pid_file = $dir/\$name.pid
log_file = $dir/log/\$name.log
[osd]
osd_objectstore = memstore
memstore_device_bytes = 1073741824
[client.rgw]
rgw_frontends = beast endpoint=127.0.0.1:$port
rgw_thread_pool_size = 16
rgw_enable_ops_log = false
CONF

ceph=(ceph -c "$dir/ceph.conf" --connect-timeout 3)
monmaptool --create --fsid "$fsid" --addv a "[v2:127.0.0.1:$monitor_port]" "$dir/monmap" >/dev/null
ceph-mon -c "$dir/ceph.conf" --mkfs -i a --monmap "$dir/monmap" --no-mon-config >&2
ceph-mon -c "$dir/ceph.conf" -i a --no-mon-config >&2
wait_for 60 "${ceph[@]}" mon stat
osd_id=$(cat /proc/sys/kernel/random/uuid)
"${ceph[@]}" osd new "$osd_id" >/dev/null
ceph-osd -c "$dir/ceph.conf" -i 0 --mkfs --osd-uuid "$osd_id" --no-mon-config >&2
ceph-osd -c "$dir/ceph.conf" -i 0 >&2
wait_for 60 bash -c "ceph -c '$dir/ceph.conf' --connect-timeout 3 osd stat | grep -q '1 up'"
radosgw -c "$dir/ceph.conf" -n client.rgw >&2
wait_for 120 node -e "fetch('http://127.0.0.1:$port/').catch(() => process.exit(1))"
radosgw-admin -c "$dir/ceph.conf" -n client.rgw user create --uid=tests --display-name=tests \
  --access-key=tests --secret-key=tests-secret >/dev/null
started=yes
cat <<VARIABLES
TIDEMARK_S3_ENDPOINT=http://127.0.0.1:$port
TIDEMARK_S3_BUCKET=tests
TIDEMARK_S3_KIND=radosgw
AWS_ACCESS_KEY_ID=tests
AWS_SECRET_ACCESS_KEY=tests-secret
VARIABLES
