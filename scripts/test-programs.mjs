/**
 * The programs that tests with real hosts start, and where Debian has them.
 * Invariant: whoever adds one makes the tests that need it skip with the reason where it is missing.
 * Nothing else belongs in this file.
 */

/** Program to look for → the Debian package that has it. */
export const packages = {
  sshd: 'openssh-server',
  ssh: 'openssh-client',
  'ssh-keygen': 'openssh-client',
  sudo: 'sudo',
  doas: 'opendoas',
  ip: 'iproute2',
  nsenter: 'util-linux',
  mount: 'mount',
  git: 'git',
  podman: 'podman',
  crun: 'crun',
  'systemd-nspawn': 'systemd-container',
  'dbus-daemon': 'dbus',
  fish: 'fish',
  tcsh: 'tcsh',
  faketime: 'faketime',
};
