import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import type { Facts as AgentFacts } from '../../../agent/protocol/facts.ts';
import type { Facts } from '../../../reconciler/policy/authoring/facts.ts';
import { createPolicyEngine } from '../../../reconciler/policy/engine.ts';
import { layTypes } from '../../../reconciler/policy/lay-types.ts';
import { limits, snapshotOf, subjectOf } from './fixtures.ts';

const root = resolve(import.meta.dirname, '../../..');
const repository = mkdtempSync(join(tmpdir(), 'towline-template-'));
cpSync(join(root, 'repo-template'), repository, { recursive: true });
afterAll(() => rmSync(repository, { recursive: true }));

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile());
}

/** The compiler's complaints about a policy repository: `file(line,column)` of each. */
async function complaints(folder: string): Promise<string[]> {
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const run = promisify(execFile)(process.execPath, [tsc, '--pretty', 'false', '-p', folder], {
    cwd: folder,
  });
  const output = await run.then(
    ({ stdout }) => stdout,
    (error: { stdout: string }) => error.stdout,
  );
  return output.split('\n').filter((line) => line.includes('error TS'));
}

describe('the policy repository that init copies', () => {
  it('type-checks with nothing installed', async () => {
    expect(layTypes(repository)).toBe(true);
    expect(layTypes(repository)).toBe(false);
    expect(await complaints(repository)).toEqual([]);
  });

  it('loads and evaluates for hosts without any variable', async () => {
    const files = filesBelow(repository).map((path) => [
      relative(repository, path),
      readFileSync(path, 'utf8'),
    ]);
    const engine = createPolicyEngine(limits);
    const loaded = await engine.load(snapshotOf(Object.fromEntries(files)), ['base', 'web']);
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
    for (const role of ['base', 'web']) {
      const evaluations = await loaded.value.evaluate(role, [
        subjectOf('web1', { root: '/home/x/towline' }, { groups: ['all', 'web'] }),
      ]);
      expect(evaluations.map((each) => (each.kind === 'failed' ? each.problems : each.kind))).toEqual([
        'plan',
      ]);
    }
    await engine.close();
  });
});

describe('the types of the authoring API', () => {
  it.each([
    ["file('/x', { contnet: 'a' })"],
    ["file('/x', { state: 'gone' })"],
    ["pkg('x', { state: 'newest' })"],
    ["line('/x', { match: 'a' })"],
    ["command('x', { argv: 'ls -l' })"],
    ["service('x')"],
    ["authorizedKey('x', { key: 'k' })"],
    ["echo('x', { whne: true })"],
    ["echo('x', { retries: '3' })"],
    ['vars.port.nothing'],
    ["file('/x', { content: vars.unknown })"],
    ['facts.os.famly'],
    ["'a text'"],
  ])('refuse %s', async (resource) => {
    expect(await complaintsAbout(resource)).toHaveLength(1);
  });

  it.each([
    ["file('/x', { content: vars.name, when: vars.port > 80, requires: pkg('a') })"],
    ["[pkg(['a', 'b']), [null, false, undefined]]"],
    ["facts.os.family === 'debian' && echo('x', { when: 'probe.rc == 0', notify: ['a', 'b'] })"],
    ['vars.list.map((name) => user(name))'],
  ])('accept %s', async (resource) => {
    expect(await complaintsAbout(resource)).toEqual([]);
  });

  it('describe the same facts as the agent gathers', () => {
    type Full = { readonly [Name in keyof AgentFacts]: NonNullable<AgentFacts[Name]> };
    const same: [
      Full extends Facts ? true : false,
      Facts extends Readonly<Record<keyof Full, unknown>> ? true : false,
    ] = [true, true];
    expect(same).toEqual([true, true]);
  });
});

async function complaintsAbout(resource: string): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'towline-types-'));
  try {
    cpSync(join(root, 'repo-template/tsconfig.json'), join(folder, 'tsconfig.json'));
    layTypes(folder);
    const { mkdirSync, writeFileSync } = await import('node:fs');
    mkdirSync(join(folder, 'roles/web'), { recursive: true });
    writeFileSync(
      join(folder, 'roles/web/role.ts'),
      `import { authorizedKey, command, defineRole, echo, file, line, pkg, service, user } from 'towline'
void [authorizedKey, command, echo, file, line, pkg, service, user]
export default defineRole({
  variables: { port: 80, name: 'a', list: ['a'] },
  resources: ({ vars, facts }) => [vars.port > 1 && facts.uptime > 1 && echo('y'), ${resource}],
})
`,
    );
    return await complaints(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
