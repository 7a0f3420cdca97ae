#!/bin/sh
# A long task that tells how far it is. Every run has a channel of its own, whose name it announces in `tasks`.
#
#   examples/progress/task.sh          twenty steps of half a second
#   examples/progress/task.sh 100 0.1  a hundred of a tenth
set -eu
PATH="$PATH:$(dirname "$0")/../../target/release:$(dirname "$0")/../../target/debug"
steps=${1:-20}
pause=${2:-0.5}
task="task:$(date +%H%M%S)-$$"

tell() {
  fanfare pub "$task" "$@" >/dev/null
}

# Whatever happens, the channel is closed, so that nobody waits for more.
finish() {
  status=$?
  if [ "$status" -eq 0 ]; then tell 'All done.' --end; else tell "Ended with $status." --event failed --end; fi
}

fanfare pub tasks "$task" >/dev/null
trap finish EXIT
trap 'exit 130' INT TERM
tell "Begun with $steps steps."
step=0
while [ "$step" -lt "$steps" ]; do
  sleep "$pause" # The work of a step.
  step=$((step + 1))
  tell "Step $step is done."
  tell "{\"done\":$step,\"of\":$steps,\"what\":\"file-$step.dat\"}" --json --event progress
done
