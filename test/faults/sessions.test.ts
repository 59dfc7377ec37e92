/**
 * A host whose sshd lets fewer sessions into a connection than roles with accounts of their own need.
 * Invariant: every role runs as its account, over as many connections as it takes; none is refused for the server's limit.
 * Needs root, who may become anybody without a password.
 */

import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createRepository } from '../helpers/git-repository.ts';
import { hasSshd, type Sshd, startSshd } from '../helpers/sshd.ts';
import { temporaryDirectories } from '../helpers/temporary-directory.ts';
import { Loop } from '../reconciler/flow/loop.ts';

const accounts = ['root', 'daemon', 'bin', 'sys', 'games'];
const fresh = temporaryDirectories();
const possible = hasSshd && userInfo().uid === 0 && existsSync('/usr/bin/sudo');

function role(account: string, told: string): string {
  return `import { command, defineRole } from 'towline'
export default defineRole({
  connect: { become: '${account}' },
  resources: () => [command('tell', { argv: ['/bin/sh', '-c', 'id -un >> "$0"', '${told}'] })],
})
`;
}

describe.skipIf(!possible)('a host that lets two sessions into a connection', () => {
  let loop: Loop | undefined;
  let sshd: Sshd | undefined;
  let told: string | undefined;

  afterEach(async () => {
    await loop?.close();
    await sshd?.stop();
    if (told !== undefined) rmSync(told, { recursive: true });
  });

  it('is reached over three connections by five accounts', async () => {
    const folder = fresh();
    told = mkdtempSync(join(tmpdir(), 'towline-told-'));
    chmodSync(told, 0o1777);
    sshd = await startSshd(join(folder, 'sshd'), ['MaxSessions 2']);
    const toldBy = (account: string): string => join(told ?? '', account);
    const roles = accounts.map(
      (account) => [`roles/${account}/role.ts`, role(account, toldBy(account))] as const,
    );
    const repository = join(folder, 'policy');
    createRepository(repository, {
      'towline.toml':
        '[environments.test]\nbranch = "main"\ninventory = "inventory.toml"\nroles = ["root", "daemon", "bin", "sys", "games"]\n',
      'inventory.toml': `[hosts.web1]
towline_host = "127.0.0.1"
towline_port = ${sshd.port}
towline_ssh_username = "${sshd.user}"
towline_ssh_key = "${sshd.keyFile}"
towline_pinned_keys = ["${sshd.hostKey}"]
`,
      ...Object.fromEntries(roles),
    });
    loop = await Loop.open({ location: repository, folder });
    const summary = await loop.runOnce();
    expect(summary.outcome, JSON.stringify(summary)).toBe('done');
    for (const account of accounts) expect(readFileSync(toldBy(account), 'utf8')).toBe(`${account}\n`);
    expect(sshd.children().length).toBeGreaterThanOrEqual(3);
  });
});
