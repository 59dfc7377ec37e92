import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type GitServer, hasGitBackend, serveGit } from '../../helpers/git-http.ts';
import { runGit } from '../../helpers/git-repository.ts';
import { temporaryDirectories } from '../../helpers/temporary-directory.ts';
import { Loop } from './loop.ts';
import { fileRole, SmallFleet } from './small-fleet.ts';

const fresh = temporaryDirectories();
let fleet: SmallFleet | undefined;
let loop: Loop | undefined;
let server: GitServer | undefined;

afterEach(async () => {
  await loop?.close();
  await fleet?.stop();
  await server?.close();
});

const settings = `[environments.test]
branch = "main"
inventory = "inventory.toml"
poll = "1s"
`;

describe.skipIf(!hasGitBackend)('the controller on a remote', () => {
  it('finds commits by polling, and goes on when the remote is gone for a while', async () => {
    fleet = await SmallFleet.start(fresh(), ['a'], {
      'towline.toml': settings,
      'roles/base/role.ts': fileRole('base', `'one'`),
    });
    server = await serveGit(fleet.folder);
    const location = `${server.url}/${basename(fleet.repository)}/.git`;
    loop = await Loop.open({ location, folder: fleet.folder });
    const seen = loop.run({ schedules: true });
    const read = (): string => readFileSync(join((fleet as SmallFleet).host('a').root, 'base'), 'utf8');
    await seen.until(() => seen.ended.some(({ summary }) => summary.outcome === 'done'), 'the first run');
    expect(read()).toBe('one');
    server.intercept = (_, response) => {
      response.writeHead(503).end();
      return true;
    };
    await seen.until(() => seen.problems.length > 0, 'the problem of the poll');
    server.intercept = () => false;
    fleet.commit({ 'roles/base/role.ts': fileRole('base', `'two'`) });
    await seen.until(() => read() === 'two', 'the polled commit');
    expect(runGit(fleet.repository, 'rev-list', '--count', 'HEAD')).toBe('2');
  });
});
