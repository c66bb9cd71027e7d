# Stands in for the agent in the tests of the Docker driver: sh -c SCRIPT agent HABIT. See ../farm/conformance.
habit=$1
[ "$habit" = broken ] && { echo "no module named agent" >&2; exit 3; }
read -r boot
printf '%s' "$boot" > /boot.seen
case $habit in
  stubborn) trap '' TERM ;;
  family)
    (setsid sleep 1001 </dev/null >/dev/null 2>&1 &)
    (env -i /usr/bin/setsid /bin/sleep 1002 </dev/null >/dev/null 2>&1 &) ;;
esac
echo "agent up"
exec sleep 1000
