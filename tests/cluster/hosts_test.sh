# hosts_test.sh - three hosts over TCP: the same bytes as on one; a cut of 1.5 s does no harm; a cut for good, or a host
# that dies, ends on all hosts within a minute, with a message, and the run goes on from its checkpoint.
. tests/cluster/lib.sh
export HOSTS_DIR=$WORK/hosts-of-test
. tests/cluster/hosts.sh
unset OMPI_MCA_oob_tcp_if_include
trap hosts_down EXIT
trap 'exit 1' TERM INT

plain=$(folder plain)
options=(-q -o run --set "train.epochs=${EPOCHS:-120}" --checkpoint-every 2s)
(cd "$plain" && works "one host" mpirun -n 4 "$POLYRANK" train jobs/demo.yaml "${options[@]}")
[ -e "$plain/run/result.h5" ] || exit
hosts_up 3 && pass "three hosts" || { fail "three hosts" "they do not come up"; exit 1; }
seen=$(hosts_mpirun -n 3 hostname | sort | tr '\n' ' ')
[ "$seen" = "h0 h1 h2 " ] && pass "a rank on each host" || fail "a rank on each host" "ranks on $seen"

start_run() { # start_run FOLDER OPTION...: in the background, pid in $run
    local place=$1
    shift
    (cd "$place" && exec >stdout 2>stderr </dev/null && hosts_mpirun -n 4 "$POLYRANK" train jobs/demo.yaml "${options[@]}" "$@") &
    run=$!
}
runs_on() { # waits until the run has written a checkpoint
    local i
    for ((i = 0; i < 400; i++)); do
        [ ! -e "$1/run/checkpoint.h5" ] || return 0
        sleep 0.05
    done
    return 1
}

place=$(folder tcp)
start_run "$place"
wait $run && pass "three hosts train" || fail "three hosts train" "exit status $?" "$place/stderr"
same_run "three hosts" "$place"

place=$(folder short)
start_run "$place"
runs_on "$place" || fail "short cut" "no checkpoint before it" "$place/stderr"
hosts_link h1 down
sleep 1.5
hosts_link h1 up
wait $run && pass "goes on after a cut of 1.5 s" || fail "goes on after a cut of 1.5 s" "exit status $?" "$place/stderr"
same_run "after a cut of 1.5 s" "$place"

# The link of a host with ranks alone; that of the host of mpirun and rank 0; a host that dies.
cut() { hosts_link "$1" down; }
# shellcheck disable=SC2046
dies() { kill -KILL $(hosts_processes "$1"); }
for what in "cut h1" "cut h0" "dies h2"; do
    host=${what#* }
    place=$(folder "${what/ /-}")
    start_run "$place"
    runs_on "$place" || fail "$what" "no checkpoint before it" "$place/stderr"
    start=$(now_ms)
    $what
    for ((i = 0; i < 140; i++)); do
        left=$(for h in h0 h1 h2; do hosts_processes $h; done | wc -l)
        [ "$left" != 0 ] || break
        sleep 0.5
    done
    took=$(seconds_since "$start")
    if [ "$left" = 0 ] && [ "${took%.*}" -lt 60 ]; then pass "$what: all hosts are left within 60 s"; else
        fail "$what: all hosts are left within 60 s" "$left processes after $took s" "$place/stderr"
    fi
    wait $run
    status=$?
    echo "   $what: all processes on all hosts ended after $took s, exit status $status"
    [ $status = 1 ] && pass "$what: exit 1" || fail "$what: exit 1" "exit status $status" "$place/stderr"
    grep -q '^polyrank: a host or the link to it was lost' "$place/stderr" && pass "$what: message" ||
        fail "$what: message" "none" "$place/stderr"
    hosts_link "$host" up
    works "$what: the checkpoint is whole" "$POLYRANK" check "$place/run/checkpoint.h5"
    (cd "$place" && works "$what: goes on" mpirun -n 3 "$POLYRANK" train jobs/demo.yaml "${options[@]}" --resume auto)
    same_run "$what, resumed" "$place"
done
