#!/bin/sh
# A systemctl without systemd: units are directories of one-line files beside the program, in units/UNIT.service/.
# Every verb is written to `log`. A unit may hold: fails (a verb that is refused), slow (looks until it is active), dies.
home=$(dirname "$0")
verb='' unit='' properties=''
for arg; do
  case $arg in
    --property=*) properties=${arg#--property=} ;;
    -*) ;;
    *) if [ -z "$verb" ]; then verb=$arg; else unit=$arg; fi ;;
  esac
done
if [ -e "$home/offline" ]; then echo 'Failed to connect to bus: Host is down' >&2; exit 1; fi
case $unit in ''|*.*) ;; *) unit=$unit.service ;; esac
place=$home/units/$unit
get() { cat "$place/$1" 2>/dev/null || echo "${2-}"; }
put() { echo "$2" >"$place/$1"; }
if [ "$verb" = show ]; then
  if [ ! -d "$place" ]; then printf 'LoadState=not-found\nActiveState=inactive\nSubState=dead\n'; exit 0; fi
  if [ -s "$place/slow" ] && [ "$(get ActiveState)" = activating ]; then
    left=$(($(get slow) - 1)); put slow "$left"
    if [ "$left" -le 0 ]; then put ActiveState active; rm "$place/slow"; fi
  fi
  for property in $(echo "$properties" | tr , ' '); do echo "$property=$(get "$property")"; done
  exit 0
fi
if [ "$verb" = status ]; then echo "* $unit"; get words; exit 3; fi
echo "$verb${unit:+ $unit}" >>"$home/log"
if [ "$verb" = daemon-reload ]; then for each in "$home"/units/*/; do echo no >"$each/NeedDaemonReload"; done; exit 0; fi
if [ ! -d "$place" ]; then
  if [ "$verb" = mask ]; then mkdir -p "$place"; else echo "Failed to $verb $unit: Unit $unit not found." >&2; exit 5; fi
fi
if [ "$(get fails)" = "$verb" ]; then echo "Job for $unit failed because the control process exited." >&2; exit 1; fi
begin() {
  if [ -e "$place/dies" ]; then put ActiveState failed; put SubState failed
  elif [ -e "$place/slow" ]; then put ActiveState activating
  elif [ "$(get Type)" = oneshot ]; then put ActiveState inactive
  else put ActiveState active; put SubState running; fi
}
case $verb in
  start|restart|reload-or-restart) begin ;;
  stop) put ActiveState inactive ;;
  enable) put UnitFileState enabled ;;
  disable) put UnitFileState disabled ;;
  mask) put LoadState masked; put UnitFileState masked ;;
  unmask) put LoadState loaded; put UnitFileState disabled ;;
  *) echo "Unknown command verb $verb." >&2; exit 1 ;;
esac
