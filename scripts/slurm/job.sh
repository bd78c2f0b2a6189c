#!/bin/bash
@HEADER@
# A job of Invaria. Filled in by scripts/slurm/submit; `sbatch` on the filled-in script submits it once more.
# It queues itself again until its part of the suite is finished.
set -euo pipefail
most_restarts=@MOST_RESTARTS@
requeue=@REQUEUE@   # scontrol; or an exit code that the site's RequeueExit lists; or none
requeued=" @REQUEUED@ "   # all codes that it lists
spare=@SPARE@   # one that it does not
job=${SLURM_JOB_ID:?this is a batch script: submit it with sbatch}
[ -z "${SLURM_ARRAY_TASK_ID:-}" ] || job=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID
restarts=${SLURM_RESTART_COUNT:-0}
going_on=@OUTPUT@/slurm/going-on-$job   # there while this job runs or will run again, for `invaria watch`
say() { echo "$(date --utc +%FT%TZ) job $job: $*"; }
# However the script ends for good: with a code that the site's RequeueExit lists Slurm would queue the job again, and again.
leave() {
  local code=$?
  rm -f "$going_on"
  case "$requeued" in
    *" $code "*)
      say "with exit code $spare, for after $code this site queues a job again"
      exit "$spare" ;;
  esac
  exit "$code"
}
trap leave EXIT
touch "$going_on"
@MODULES@

# Slurm signals this shell: USR1 some time before the limit, TERM before pre-emption. The ranks then save, stop and exit with 75.
# To srun itself TERM would mean to kill them.
signalled=
stop_ranks() {
  signalled=yes
  say "$1: stopping the ranks"
  kill -USR1 "$step" 2>/dev/null || true
}
trap 'stop_ranks "the time limit is near"' USR1
trap 'stop_ranks "told to end"' TERM

say "start $((restarts + 1)) on $SLURM_NTASKS ranks of $SLURM_JOB_NUM_NODES nodes:" @WHAT@
# srun does not take the job's --cpus-per-task by itself.
srun --mpi=@MPI@ --cpus-per-task="${SLURM_CPUS_PER_TASK:-1}" --wait=120 @COMMAND@ &
step=$!

# A signal ends `wait`, not the step.
while true; do
  status=0
  wait "$step" || status=$?
  kill -0 "$step" 2>/dev/null || break
done
status=0
wait "$step" || status=$?
[ -z "$signalled" ] || [ "$status" -ne 138 ] || status=75  # the signal met srun before the ranks had begun
say "the program ended with $status"
[ "$status" -ne 1 ] || say @AFTER_FAILURES@
[ "$status" -eq 75 ] || exit "$status"

# Stopped on request, to be resumed: unless Slurm has ended the job, by scancel or to queue it again itself.
state=$(squeue --noheader --jobs="$job" --format=%T 2>/dev/null || true)
if [ "${state:-RUNNING}" != RUNNING ]; then
  say "saved; Slurm has this job as $state"
elif [ "$restarts" -ge "$most_restarts" ]; then
  say "saved, and given up after $restarts restarts; scripts/slurm/submit continues"
elif [ "$requeue" = none ]; then
  say "saved; this site queues no job again: scripts/slurm/submit continues"
elif [ "$requeue" = scontrol ]; then
  say "saved, queueing again"
  trap - EXIT
  scontrol requeue "$job" || { trap leave EXIT; say "not queued again: scripts/slurm/submit continues"; }
else
  trap - EXIT
  say "saved, queueing again by exit code $requeue"
  exit "$requeue"
fi
exit 75
