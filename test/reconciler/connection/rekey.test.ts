/**
 * Keys that are exchanged anew in the middle of a transfer, by a real OpenSSH server that wants it every 4 MiB.
 */

import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Exit } from '../../../reconciler/connection/line.ts';
import { connectSsh } from '../../../reconciler/connection/ssh.ts';
import type { SshConnection } from '../../../reconciler/connection/ssh-connection.ts';
import { localSpec, testPoolOptions } from '../../helpers/lines.ts';
import { hasSshd, type Sshd, startSshd } from '../../helpers/sshd.ts';

const pieces = 64;
const piece = randomBytes(1024 * 1024);
const expected = createHash('sha256');
for (let index = 0; index < pieces; index += 1) expected.update(piece);
const sha256 = expected.digest('hex');

/** Our own cipher, and one of the library's. */
const ciphers = ['aes256-gcm@openssh.com', 'chacha20-poly1305@openssh.com'];

describe.skipIf(!hasSshd).each(ciphers)(
  `a transfer over which keys are exchanged anew with %s${hasSshd ? '' : ' (no sshd here)'}`,
  (cipher) => {
    const folder = mkdtempSync(join(tmpdir(), 'rekey-'));
    let sshd: Sshd;
    let connection: SshConnection;

    beforeAll(async () => {
      sshd = await startSshd(folder, ['RekeyLimit 4M', `Ciphers ${cipher}`, 'LogLevel DEBUG1']);
      const options = testPoolOptions(join(folder, 'known_hosts')).ssh;
      const { port, user, keyFile, hostKey } = sshd;
      const spec = { ...localSpec, kind: 'ssh', address: '127.0.0.1', port, user, keyFile } as const;
      const opened = await connectSsh({ ...spec, hostKeys: 'pinned', pinnedKeys: [hostKey] }, options);
      if (!opened.ok) throw new Error(opened.problem.message);
      connection = opened.value;
    });
    afterAll(async () => {
      connection?.end('the test is over');
      await sshd?.stop();
      rmSync(folder, { recursive: true });
    });

    async function started(command: string) {
      const process = await connection.start(command, { pty: false });
      if (!process.ok) throw new Error(process.problem.message);
      return process.value;
    }

    /** How often the server has taken new keys into use. */
    function exchanges(): number {
      return readFileSync(join(folder, 'log'), 'utf8').split('SSH2_MSG_NEWKEYS sent').length - 1;
    }

    it('arrives whole at the host, with back pressure kept', async () => {
      const { stdin, stdout, exited } = await started('sha256sum');
      let text = '';
      stdout.on('data', (bytes: Buffer) => {
        text += bytes.toString();
      });
      for (let index = 0; index < pieces; index += 1) {
        if (!stdin.write(piece)) await new Promise((resolve) => stdin.once('drain', resolve));
      }
      stdin.end();
      expect(await exited).toEqual<Exit>({ status: 0, signal: null });
      expect(text).toContain(sha256);
      expect(exchanges()).toBeGreaterThan(8);
    });

    it('arrives whole from the host', async () => {
      const path = join(folder, 'bytes');
      const { stdin, stdout, exited } = await started(`cat > ${path}`);
      stdout.resume();
      for (let index = 0; index < pieces; index += 1) {
        if (!stdin.write(piece)) await new Promise((resolve) => stdin.once('drain', resolve));
      }
      stdin.end();
      await exited;
      expect(createHash('sha256').update(readFileSync(path)).digest('hex')).toBe(sha256);
      const back = await started(`cat ${path}`);
      const hash = createHash('sha256');
      for await (const bytes of back.stdout) hash.update(bytes as Buffer);
      expect(hash.digest('hex')).toBe(sha256);
      expect(connection.isOpen).toBe(true);
      expect(exchanges()).toBeGreaterThan(24);
    });
  },
);
