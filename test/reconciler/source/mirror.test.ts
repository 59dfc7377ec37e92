/**
 * A mirror of a remote, against git's own HTTP backend.
 */

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ProblemError, type Result } from '../../../agent/protocol/problem.ts';
import type { GitStore } from '../../../reconciler/source/git-store.ts';
import { createGitStore } from '../../../reconciler/source/isomorphic.ts';
import { type Mirror, type MirrorOptions, openMirror } from '../../../reconciler/source/mirror.ts';
import { type GitServer, hasGitBackend, serveGit } from '../../helpers/git-http.ts';
import { commitFiles, createRepository, runGit } from '../../helpers/git-repository.ts';
import { temporaryDirectories } from '../../helpers/temporary-directory.ts';

const fresh = temporaryDirectories();

function value<T>(result: Result<T>): T {
  if (!result.ok) throw new ProblemError(result.problem);
  return result.value;
}

function code(result: Result<unknown>): string {
  return result.ok ? 'no problem' : result.problem.code;
}

describe.skipIf(!hasGitBackend)('a mirror of a remote', () => {
  let root: string;
  let repository: string;
  let first: string;
  let server: GitServer;
  let mirror: Mirror;
  let store: GitStore;

  const open = async (change: Partial<MirrorOptions> = {}): Promise<Mirror> =>
    value(await openMirror({ url: `${server.url}/policy`, directory: join(root, 'state'), ...change }));
  const branches = async (): Promise<Record<string, string>> =>
    Object.fromEntries(value(await store.branches()).map((branch) => [branch.name, branch.commit]));

  beforeEach(async () => {
    root = fresh();
    repository = join(root, 'repositories/policy');
    first = createRepository(repository, { 'towline.toml': 'a = 1\n', 'roles/web/role.ts': 'one' });
    server = await serveGit(join(root, 'repositories'));
    mirror = await open();
    store = createGitStore(mirror.gitDirectory, mirror);
  });
  afterEach(async () => {
    await store.close();
    await server.close();
  });

  it('knows no branch before the first fetch and all of them after it', async () => {
    runGit(repository, 'branch', 'feature/a');
    runGit(repository, 'tag', '-a', '-m', 'tag', 'v1');
    expect(await branches()).toEqual({});
    expect(value(await store.fetch())).toBe(true);
    expect(await branches()).toEqual({ 'feature/a': first, main: first });
  });

  it('reads commits, trees and files of what it fetched', async () => {
    value(await store.fetch());
    const snapshot = value(await store.snapshot(first, 'main'));
    expect([...snapshot.entries.keys()]).toEqual(['roles/web/role.ts', 'towline.toml']);
    expect((await snapshot.read('roles/web/role.ts')).toString()).toBe('one');
    expect(snapshot.revision).toEqual({ id: first, subject: 'First', author: 'Ada', branch: 'main' });
    expect(value(await store.commit(first)).committedAt).toBe('2026-01-02T03:04:05.000Z');
  });

  it('asks only for the list of branches when nothing is new', async () => {
    value(await store.fetch());
    server.requests.length = 0;
    expect(value(await store.fetch())).toBe(false);
    expect(server.requests).toEqual([
      'GET /policy/info/refs?service=git-upload-pack',
      'POST /policy/git-upload-pack',
    ]);
  });

  it('follows new commits, new branches, removed branches and force-pushed ones', async () => {
    value(await store.fetch());
    runGit(repository, 'branch', 'gone');
    const second = commitFiles(repository, { 'roles/web/role.ts': 'two' }, 'Second');
    value(await store.fetch());
    expect(await branches()).toEqual({ gone: first, main: second });
    expect(value(await store.isAncestor(first, second))).toBe(true);
    expect(value(await store.isAncestor(second, first))).toBe(false);
    expect(value(await store.isAncestor(second, second))).toBe(true);

    runGit(repository, 'branch', '-D', 'gone');
    runGit(repository, 'branch', 'gone/deeper', first);
    runGit(repository, 'reset', '-q', '--hard', first);
    const other = commitFiles(repository, { 'roles/web/role.ts': 'three' }, 'Other');
    expect(value(await store.fetch())).toBe(true);
    expect(await branches()).toEqual({ 'gone/deeper': first, main: other });
    expect(value(await store.isAncestor(second, other))).toBe(false);
    expect((await value(await store.snapshot(second)).read('roles/web/role.ts')).toString()).toBe('two');
  });

  it('has no branches left when the remote lost all of them', async () => {
    value(await store.fetch());
    runGit(repository, 'update-ref', '-d', 'refs/heads/main');
    expect(value(await store.fetch())).toBe(true);
    expect(await branches()).toEqual({});
  });

  it('runs one fetch for those who ask at the same time', async () => {
    const answers = await Promise.all([store.fetch(), store.fetch(), store.fetch()]);
    expect(answers.map(value)).toEqual([true, true, true]);
    expect(server.requests.filter((request) => request.startsWith('GET'))).toHaveLength(2);
  });

  it('keeps its branches across a restart', async () => {
    value(await store.fetch());
    await store.close();
    const again = await open();
    expect(value(await again.branches())).toEqual([{ name: 'main', commit: first }]);
    expect(again.gitDirectory).toBe(mirror.gitDirectory);
    await again.close();
  });

  it('makes a mirror anew that was left in the middle of a fetch', async () => {
    value(await store.fetch());
    await store.close();
    writeFileSync(mirror.gitDirectory.replace(/\.git$/, '.fetching'), '');
    const again = await open();
    expect(value(await again.branches())).toEqual([]);
    expect(value(await again.fetch())).toBe(true);
    expect(value(await again.branches())).toEqual([{ name: 'main', commit: first }]);
    await again.close();
  });

  it('gives a second process a mirror of its own, up to a bound', async () => {
    const others: Mirror[] = [];
    for (let count = 1; count < 8; count += 1) others.push(await open());
    expect(new Set([mirror, ...others].map((one) => one.gitDirectory)).size).toBe(8);
    const ninth = await openMirror({ url: `${server.url}/policy`, directory: join(root, 'state') });
    expect(code(ninth)).toBe('source.mirror-in-use');
    for (const other of others) await other.close();
  });

  it('joins packs when there are many', async () => {
    value(await store.fetch());
    for (let count = 0; count < 52; count += 1) {
      commitFiles(repository, { 'towline.toml': `a = ${count}\n` });
      value(await store.fetch());
    }
    const packs = readdirSync(join(mirror.gitDirectory, 'objects/pack')).filter((name) =>
      name.endsWith('.pack'),
    );
    expect(packs.length).toBeLessThan(10);
    const main = (await branches()).main ?? '';
    expect((await value(await store.snapshot(main)).read('towline.toml')).toString()).toBe('a = 51\n');
    expect((await value(await store.snapshot(first)).read('towline.toml')).toString()).toBe('a = 1\n');
  });

  describe('when the remote does not do as asked', () => {
    it('keeps its branches and sees the news at the next fetch after an ERR packet', async () => {
      value(await store.fetch());
      const second = commitFiles(repository, { 'roles/web/role.ts': 'two' });
      server.intercept = (request, response) => {
        if (request.method !== 'POST' || request.headers['git-protocol'] === 'version=2') return false;
        const text = 'ERR upload-pack: not our ref\n';
        response.setHeader('content-type', 'application/x-git-upload-pack-result');
        response.end(`${(text.length + 4).toString(16).padStart(4, '0')}${text}`);
        return true;
      };
      const failed = await store.fetch();
      expect(code(failed)).toBe('source.fetch-failed');
      expect(failed.ok ? '' : failed.problem.message).toContain('not our ref');
      expect(await branches()).toEqual({ main: first });
      server.intercept = () => false;
      expect(value(await store.fetch())).toBe(true);
      expect(await branches()).toEqual({ main: second });
    });

    it('takes an answer cut short as a failure and recovers', async () => {
      server.intercept = (request, response) => {
        if (request.method !== 'POST' || request.headers['git-protocol'] === 'version=2') return false;
        response.setHeader('content-type', 'application/x-git-upload-pack-result');
        response.end('0008NAK\n');
        return true;
      };
      expect((await store.fetch()).ok).toBe(false);
      expect(await branches()).toEqual({});
      server.intercept = () => false;
      expect(value(await store.fetch())).toBe(true);
      expect(await branches()).toEqual({ main: first });
    });

    it.each([
      [401, 'source.access-refused'],
      [403, 'source.access-refused'],
      [404, 'source.no-such-repository'],
      [500, 'source.fetch-failed'],
      [301, 'source.moved'],
    ])('names what status %i means', async (status, expected) => {
      server.intercept = (_request, response) => {
        response.writeHead(status, {
          location: 'http://elsewhere.example/\u001b[31mx'.replace('\u001b', '%1b'),
        });
        response.end();
        return true;
      };
      expect(code(await store.fetch())).toBe(expected);
    });

    it('gives up at the deadline', async () => {
      await store.close();
      const slow = await open({ fetchMilliseconds: 50 });
      server.intercept = () => true;
      expect(code(await slow.fetch())).toBe('source.timeout');
      await slow.close();
    });

    it('says so when nobody listens', async () => {
      await server.close();
      expect(code(await store.fetch())).toBe('source.fetch-failed');
    });

    it('refuses an answer beyond the limit', async () => {
      await store.close();
      const small = await open({ limits: { files: 10, bytes: 20 } });
      expect(code(await small.fetch())).toBe('source.too-large');
      await small.close();
    });

    it('says so when the answer is not git', async () => {
      server.intercept = (_request, response) => {
        response.end('<html>captive portal</html>');
        return true;
      };
      expect(code(await store.fetch())).toBe('source.fetch-failed');
    });
  });

  describe('with a token file', () => {
    it('sends the token and never writes it down', async () => {
      await store.close();
      const tokenFile = join(root, 'token');
      writeFileSync(tokenFile, 'sesame-4711\n');
      const seen = new Set<string | undefined>();
      server.intercept = (request) => {
        seen.add(request.headers.authorization);
        return false;
      };
      const authorized = await open({ tokenFile });
      value(await authorized.fetch());
      expect([...seen]).toEqual([`Basic ${Buffer.from('x-access-token:sesame-4711').toString('base64')}`]);
      expect(readFileSync(join(authorized.gitDirectory, 'config'), 'utf8')).not.toContain('sesame');
      await authorized.close();
    });

    it('says so when the file cannot be used, or the way is not safe', async () => {
      await store.close();
      const without = await open({ tokenFile: join(root, 'nothing') });
      expect(code(await without.fetch())).toBe('source.token-unreadable');
      await without.close();
      const url = 'http://git.example.org/policy';
      const open2 = value(
        await openMirror({ url, directory: join(root, 'state'), tokenFile: join(root, 'x') }),
      );
      expect(code(await open2.fetch())).toBe('source.insecure-token');
      await open2.close();
    });
  });

  it('frees its slot when it is closed', async () => {
    const lock = mirror.gitDirectory.replace(/\.git$/, '.lock');
    expect(existsSync(lock)).toBe(true);
    await store.close();
    expect(existsSync(lock)).toBe(false);
  });
});
