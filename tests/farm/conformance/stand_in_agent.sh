#!/bin/sh
# Stands in for the agent in the tests of drivers: stand_in_agent.sh HABIT BOOTFILE, started in the node's folder.
#   calm      reads its boot file and waits
#   stubborn  likewise, but does not hear SIGTERM
#   family    leaves processes behind that left its session: one that kept a task's environment, one that cleared it
#   chatty    writes 3 MB, then waits
#   broken    ends at once and says why
habit=$1 boot=$2
[ "$habit" = broken ] && { echo "no module named agent" >&2; exit 3; }
root=$(sed 's/.*"root": "\([^"]*\)".*/\1/' "$boot")
cp "$boot" boot.seen
env > env.seen
case $habit in
  stubborn) trap '' TERM ;;
  family)
    (AZ_BATCH_NODE_ROOT_DIR=$root setsid sleep 1001 </dev/null >/dev/null 2>&1 &)
    mkdir -p "$root/wd"
    (cd "$root/wd" && env -i setsid sleep 1002 </dev/null >/dev/null 2>&1 &) ;;
  chatty) head -c 3000000 /dev/zero | tr '\0' x ;;
esac
touch ready.seen
rm "$boot"
exec sleep 1000
