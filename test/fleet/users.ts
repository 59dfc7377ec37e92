/**
 * The accounts every test host has besides the machine's own.
 * Invariant: passwords are fixed and known, since they guard nothing but a test host.
 * Never used outside the hosts' own layer.
 */

import { readFileSync } from 'node:fs';

export interface FleetUser {
  readonly name: string;
  readonly uid: number;
  readonly home: string;
  readonly password: string;
  /** SHA-512 crypt of the password. */
  readonly hash: string;
}

const salt = '$6$towline$';

/** root, by key or password. `su` asks for this password. */
export const rootUser: FleetUser = {
  name: 'root',
  uid: 0,
  home: '/root',
  password: 'root-password',
  hash: `${salt}voEch66/zjzlPiv9YBusJooUnCSFh8oD5RJVs.asVw970..zAwdXHg35oUNIgw1sAOVkDJo7fcRL0vMVBM4gh.`,
};

/** sudo without a password. */
export const deployUser: FleetUser = {
  name: 'deploy',
  uid: 7701,
  home: '/home/deploy',
  password: 'deploy-password',
  hash: `${salt}J72ofsQD6RKKHcBlgFSdkd3bS6AjOSLMNEcSf39g2OEzUT.qZwwfRPy9Do/6GpXdTw5ViWdZdtCt9Fjwd1EFh0`,
};

/** sudo with this password. */
export const limitedUser: FleetUser = {
  name: 'limited',
  uid: 7702,
  home: '/home/limited',
  password: 'limited-password',
  hash: `${salt}hqy4dWSL05QV4gn184qxiFAYxMkm.4JIrz7ipffkVXAsFlVkqjX5lN4e7U98i5NRz7dgFCLElz4l6LcHYgg.p/`,
};

/** May not use sudo at all. */
export const nosudoUser: FleetUser = {
  name: 'nosudo',
  uid: 7703,
  home: '/home/nosudo',
  password: 'nosudo-password',
  hash: `${salt}C0/2b7OjCziFiElkz3Z1y6HEn9JkTqypjzs1LJ8PYPg/9OVcnBGTr5.jEyrjVnvoPVG8Ng1OkGD9xoPjt0ug30`,
};

const addedUsers = [deployUser, limitedUser, nosudoUser];
export const fleetUsers: readonly FleetUser[] = [rootUser, ...addedUsers];

/** What sudo allows whom; replaces the machine's own file. */
export const sudoers = `Defaults env_reset
Defaults secure_path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
root ALL=(ALL:ALL) ALL
deploy ALL=(ALL:ALL) NOPASSWD: ALL
limited ALL=(ALL:ALL) ALL
@includedir /etc/sudoers.d
`;

/** The account files: the machine's system accounts, so that its packages work, and ours. */
export function accountFiles(): Readonly<Record<'passwd' | 'group' | 'shadow', string>> {
  const names = new Set(addedUsers.map((user) => user.name));
  const kept = (file: string): string[] =>
    readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !names.has(line.split(':')[0] ?? ''));
  const passwd = addedUsers.map(
    (user) => `${user.name}:x:${user.uid}:${user.uid}::${user.home}:${shell(user)}`,
  );
  const shadow = kept('/etc/shadow').filter((line) => !line.startsWith('root:'));
  return {
    passwd: lines([
      `root:x:0:0:root:/root:${shell(rootUser)}`,
      ...withoutRoot(kept('/etc/passwd')),
      ...passwd,
    ]),
    group: lines([...kept('/etc/group'), ...addedUsers.map((user) => `${user.name}:x:${user.uid}:`)]),
    shadow: lines([
      ...fleetUsers.map((user) => `${user.name}:${user.hash}:19000:0:99999:7:::`),
      ...shadow.map(locked),
    ]),
  };
}

function shell(user: FleetUser): string {
  return user.uid === 0 ? '/bin/bash' : '/bin/sh';
}

function withoutRoot(passwd: readonly string[]): string[] {
  return passwd.filter((line) => !line.startsWith('root:'));
}

/** The machine's own password hashes have no business on a test host. */
function locked(line: string): string {
  const [name, , ...rest] = line.split(':');
  return [name, '*', ...rest].join(':');
}

function lines(all: readonly string[]): string {
  return `${all.join('\n')}\n`;
}
