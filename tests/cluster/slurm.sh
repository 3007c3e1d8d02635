# slurm.sh - a SLURM of several nodes on one machine, for tests: slurmctld, a slurmd for each node, munge with a key of its own. Sourced;
# needs root, slurm-wlm and munge. All files lie in $SLURM_DIR, all daemons listen on 127.0.0.1; /etc stays as it is.
#   slurm_up N CPUS     nodes n0 .. n(N-1); sets SLURM_CONF
#   slurm_down          ends jobs and daemons
# Every slurmd has a host name, a /dev/shm and a /etc/hosts of its own: shared memory segments of Open MPI and sockets of PMIx are named
# after host and local rank, and would collide otherwise.

slurm_until() { # slurm_until SECONDS COMMAND...: asks until it succeeds
    local turns=$(($1 * 20)) i
    shift
    for ((i = 0; i < turns; i++)); do
        ! "$@" >/dev/null 2>&1 || return 0
        sleep 0.05
    done
    return 1
}

slurm_daemon() { # slurm_daemon NAME COMMAND...: in the background, known to slurm_down
    local name=$1
    shift
    "$@" >"$SLURM_DIR/log/$name.out" 2>&1 &
    echo $! >>"$SLURM_DIR/pids"
    disown
}

slurm_config() { # slurm_config N CPUS PORT
    local n=$1 cpus=$2 port=$3 i memory
    memory=$(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo)
    cat <<END
ClusterName=test
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmUser=root
SlurmdUser=root
SlurmctldPort=$port
SrunPortRange=$((port + 100))-$((port + 900))
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
AuthType=auth/munge
CredType=cred/munge
# cred_expire: a requeued job waits so long before it starts again; below 5 SLURM takes 120
AuthInfo=socket=$SLURM_DIR/munge.socket,cred_expire=5
StateSaveLocation=$SLURM_DIR/state
SlurmdSpoolDir=$SLURM_DIR/spool/%n
TmpFS=$SLURM_DIR/tmp/%n
SlurmctldPidFile=$SLURM_DIR/slurmctld.pid
SlurmdPidFile=$SLURM_DIR/slurmd.%n.pid
SlurmctldLogFile=$SLURM_DIR/log/slurmctld.log
SlurmdLogFile=$SLURM_DIR/log/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,sched_min_interval=0,bf_interval=1,batch_sched_delay=0,requeue_delay=1,bf_hetjob_immediate
# nodes have more cores than the machine
SlurmdParameters=config_overrides
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
JobCompType=jobcomp/none
MpiDefault=none
ReturnToService=2
KillWait=3
MinJobAge=600
SlurmctldTimeout=30
SlurmdTimeout=30
MessageTimeout=30
JobRequeue=1
END
    for ((i = 0; i < n; i++)); do
        echo "NodeName=n$i NodeHostname=n$i NodeAddr=127.0.0.1 Port=$((port + 10 + i)) CPUs=$cpus RealMemory=$((memory / n)) State=UNKNOWN"
    done
    echo "PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP"
}

slurm_all_idle() { [ "$(sinfo -h -N -o %T | grep -c idle)" = "$1" ]; }

slurm_up() {
    local n=$1 cpus=$2 port=${SLURM_PORT:-27300} i
    PATH=$PATH:/usr/sbin
    mkdir -p "$SLURM_DIR"/{log,state,spool,munge} && chmod 755 "$SLURM_DIR" && : >"$SLURM_DIR/pids"
    (umask 077 && head -c 1024 /dev/urandom >"$SLURM_DIR/munge/key")
    munged --force --key-file="$SLURM_DIR/munge/key" --socket="$SLURM_DIR/munge.socket" --pid-file="$SLURM_DIR/munge/pid" \
        --log-file="$SLURM_DIR/log/munged.log" --seed-file="$SLURM_DIR/munge/seed" || return
    slurm_until 10 munge -S "$SLURM_DIR/munge.socket" -n || return
    cat "$SLURM_DIR/munge/pid" >>"$SLURM_DIR/pids"
    slurm_config "$n" "$cpus" "$port" >"$SLURM_DIR/slurm.conf"
    echo "CgroupAutomount=no" >"$SLURM_DIR/cgroup.conf"
    export SLURM_CONF=$SLURM_DIR/slurm.conf
    slurm_daemon slurmctld slurmctld -D -c
    slurm_until 20 scontrol ping || return
    {
        echo "127.0.0.1 localhost $(hostname -s)"
        for ((i = 0; i < n; i++)); do echo "127.0.0.1 n$i"; done
    } >"$SLURM_DIR/etc-hosts"
    for ((i = 0; i < n; i++)); do
        mkdir -p "$SLURM_DIR/tmp/n$i" "$SLURM_DIR/spool/n$i"
        slurm_daemon "n$i" unshare --uts --mount --propagation private sh -c '
            hostname "$1" && mount -t tmpfs shm /dev/shm && mount --bind "$2/etc-hosts" /etc/hosts && exec slurmd -D -N "$1"' \
            _ "n$i" "$SLURM_DIR"
    done
    slurm_until 30 slurm_all_idle "$n"
}

slurm_down() {
    local pid jobs
    [ -s "$SLURM_DIR/pids" ] || return 0
    jobs=$(squeue -h -o %A 2>/dev/null)
    # shellcheck disable=SC2086
    [ -z "$jobs" ] || { scancel --quiet $jobs; slurm_until 10 test -z "$(squeue -h -t running,completing)"; }
    tac "$SLURM_DIR/pids" | while read -r pid; do kill -TERM "$pid" 2>/dev/null; done
    while read -r pid; do
        slurm_until 5 sh -c "! kill -0 $pid" || kill -KILL "$pid"
    done <"$SLURM_DIR/pids" 2>/dev/null
    rm -rf "$SLURM_DIR"
}
