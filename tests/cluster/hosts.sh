# hosts.sh - several hosts on one machine, for tests: network namespaces joined by a bridge, each with a host name, a /dev/shm and a
# /etc/hosts of its own. Sourced; needs root and iproute2. Nothing outside of the namespaces changes, and they have no way out.
#   hosts_up N          hosts h0 .. h(N-1), 10.99.0.10 on
#   hosts_run h1 CMD    a command on one of them
#   hosts_mpirun ARGS   scripts/mpirun-hosts on h0, ranks dealt to the hosts in turn, over TCP
#   hosts_link h1 down  cut or mend (up) the link of a host
#   hosts_down          ends everything that runs there
# State lies in $HOSTS_DIR; $ROOT is the top of the source tree.

hosts_prefix() { echo "pr$(cat "$HOSTS_DIR/id")-"; }

hosts_up() {
    local n=$1 i host prefix wait
    mkdir -p "$HOSTS_DIR"
    echo $$ >"$HOSTS_DIR/id"
    prefix=$(hosts_prefix)
    {
        echo "127.0.0.1 localhost"
        for ((i = 0; i < n; i++)); do echo "10.99.0.$((10 + i)) h$i"; done
    } >"$HOSTS_DIR/etc-hosts"
    ip netns add "${prefix}bridge" || return
    ip -n "${prefix}bridge" link add br0 type bridge forward_delay 0 && ip -n "${prefix}bridge" link set br0 up || return
    for ((i = 0; i < n; i++)); do
        host=h$i
        echo "$host" >>"$HOSTS_DIR/names"
        ip netns add "$prefix$host" || return
        ip -n "$prefix$host" link set lo up
        ip -n "$prefix$host" link add eth0 type veth peer name "port$i" netns "${prefix}bridge" || return
        ip -n "${prefix}bridge" link set "port$i" master br0 up
        ip -n "$prefix$host" addr add "10.99.0.$((10 + i))/24" dev eth0
        ip -n "$prefix$host" link set eth0 up
        # One process holds the host's name and mounts for all that come later.
        ip netns exec "$prefix$host" unshare --uts --mount --propagation private sh -c '
            hostname "$1" && mount -t tmpfs shm /dev/shm && mount --bind "$2/etc-hosts" /etc/hosts && echo $$ >"$2/$1.pid" &&
            exec sleep 100000' _ "$host" "$HOSTS_DIR" >/dev/null 2>&1 &
        disown
    done
    for ((i = 0; i < n; i++)); do
        for ((wait = 0; wait < 200; wait++)); do
            [ ! -s "$HOSTS_DIR/h$i.pid" ] || break
            sleep 0.05
        done
        [ -s "$HOSTS_DIR/h$i.pid" ] || return
        echo "h$i slots=16"
    done >"$HOSTS_DIR/hostfile"
    # What mpirun calls instead of ssh: HOST COMMAND...
    cat >"$HOSTS_DIR/rsh" <<END
#!/bin/bash
host=\$1
shift
exec nsenter -t "\$(cat "$HOSTS_DIR/\$host.pid")" -n -u -m -- /bin/bash -c "cd '\$PWD' && \$*"
END
    chmod +x "$HOSTS_DIR/rsh"
}

hosts_run() {
    local host=$1
    shift
    nsenter -t "$(cat "$HOSTS_DIR/$host.pid")" -n -u -m --wd="$PWD" -- "$@"
}

hosts_mpirun() {
    OMPI_MCA_btl=self,vader,tcp OMPI_MCA_btl_tcp_if_include=eth0 OMPI_MCA_oob_tcp_if_include=eth0 OMPI_MCA_plm=rsh \
        OMPI_MCA_plm_rsh_agent=$HOSTS_DIR/rsh OMPI_MCA_orte_default_hostfile=$HOSTS_DIR/hostfile \
        OMPI_MCA_rmaps_base_mapping_policy=node hosts_run h0 "$ROOT/scripts/mpirun-hosts" "$@"
}

hosts_link() { ip -n "$(hosts_prefix)bridge" link set "port${1#h}" "$2"; }

hosts_processes() { # hosts_processes h1: what runs there, but for the process that holds it
    ip netns pids "$(hosts_prefix)$1" | grep -vx "$(cat "$HOSTS_DIR/$1.pid")"
}

hosts_down() {
    local host pid prefix
    [ -e "$HOSTS_DIR/id" ] || return 0
    prefix=$(hosts_prefix)
    while read -r host; do
        for pid in $(ip netns pids "$prefix$host" 2>/dev/null); do kill -9 "$pid" 2>/dev/null; done
        ip netns del "$prefix$host"
    done <"$HOSTS_DIR/names"
    ip netns del "${prefix}bridge"
    rm -rf "$HOSTS_DIR"
}
