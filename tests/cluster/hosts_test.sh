# hosts_test.sh - three hosts over TCP: the same bytes as on one; a cut of 1.5 s does no harm; a cut for good ends on all hosts within a
# minute, with a message, and the run goes on from its checkpoint.
. tests/cluster/lib.sh
export HOSTS_DIR=$WORK/hosts-of-test
. tests/cluster/hosts.sh
unset OMPI_MCA_oob_tcp_if_include
trap hosts_down EXIT
trap 'exit 1' TERM INT

plain=$(folder plain)
options=(-q -o run --set "train.epochs=${EPOCHS:-250}" --checkpoint-every 2s)
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

# The link of a host with ranks alone, and of the host of mpirun and rank 0.
for host in h1 h0; do
    place=$(folder "cut-$host")
    start_run "$place"
    runs_on "$place" || fail "cut of $host" "no checkpoint before it" "$place/stderr"
    start=$(now_ms)
    hosts_link $host down
    for ((i = 0; i < 140; i++)); do
        left=$(for h in h0 h1 h2; do hosts_processes $h; done | wc -l)
        [ "$left" != 0 ] || break
        sleep 0.5
    done
    took=$(seconds_since "$start")
    if [ "$left" = 0 ] && [ "${took%.*}" -lt 60 ]; then pass "cut of $host: all hosts are left within 60 s"; else
        fail "cut of $host: all hosts are left within 60 s" "$left processes after $took s" "$place/stderr"
    fi
    wait $run
    status=$?
    echo "   link of $host cut for good: all processes on all hosts ended after $took s, exit status $status"
    [ $status = 1 ] && pass "cut of $host: exit 1" || fail "cut of $host: exit 1" "exit status $status" "$place/stderr"
    grep -q '^polyrank: a host or the link to it was lost' "$place/stderr" && pass "cut of $host: message" ||
        fail "cut of $host: message" "none" "$place/stderr"
    hosts_link $host up
    works "cut of $host: the checkpoint is whole" "$POLYRANK" check "$place/run/checkpoint.h5"
    (cd "$place" && works "cut of $host: goes on" mpirun -n 3 "$POLYRANK" train jobs/demo.yaml "${options[@]}" --resume auto)
    same_run "cut of $host, resumed" "$place"
done
