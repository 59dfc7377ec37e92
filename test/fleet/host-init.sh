# First process of a test host: builds the host's own root file system and network, then runs its ssh server.
# Invariant: whatever it mounts exists only in the host's mount namespace, so nothing is left when it dies.
# Never run outside fresh mount, pid, uts, ipc and network namespaces.
set -eu
fleet=$1 host=$2 name=$3 address=$4 gateway=$5 gateway_mac=$6 init=$7 runtime=$8

# /proc is still the outer one here, so this line tells the outside which process to signal.
read -r self rest </proc/self/stat
exec 3>"$host/init.stat"

echo "$name" >/proc/sys/kernel/hostname
for scope in all default; do
  echo 1 >"/proc/sys/net/ipv6/conf/$scope/disable_ipv6" 2>/dev/null || :
done
ip -batch - <<END
link set lo up
addr replace $address dev eth0
link set eth0 up
neigh replace $gateway lladdr $gateway_mac dev eth0 nud permanent
END

layers=$host/base:$fleet/base:$fleet/mask:/
options=lowerdir=$layers,upperdir=$host/upper,workdir=$host/work,index=off,redirect_dir=off,metacopy=off
mount -t overlay -o "$options" towline-host "$host/root"
cd "$host/root"
mount -t proc -o nosuid,nodev,noexec proc proc
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs sys
mount --bind "$fleet/dev" dev
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs -o mode=0755 tmpfs run
mkdir -m 0755 run/sshd
mkdir -m 1777 run/lock
if [ "$init" = systemd ]; then mkdir -p run/systemd/system; fi
if [ -n "$runtime" ]; then mount --bind "$runtime" usr/local/bin/node; fi
pivot_root . .
umount -l .

/usr/sbin/sshd -D -e -f /etc/ssh/towline_sshd_config 3>&- 2>/run/sshd.log &
server=$!
echo "$self" >&3
exec 3>&-
wait "$server"
