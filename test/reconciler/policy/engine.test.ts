import { describe, expect, it } from 'vitest';
import { planContents, rolePlanSchema } from '../../../agent/protocol/plan.ts';
import {
  debianFacts,
  engineInProcess,
  evaluateWeb,
  loadWeb,
  readContent,
  roleFile,
  snapshotOf,
  subjectOf,
} from './fixtures.ts';

const everything = `[
  pkg(['nginx', 'curl']), pkg('vim', { state: 'latest' }),
  file('/etc/motd', { content: 'hello ' + vars.port + '\\n', mode: '644', notify: 'reload' }),
  file('/etc/raw', { from: 'raw.txt' }), file('/etc/shared', { from: 'shared.txt' }),
  template('/etc/app.conf', { from: 'app.conf.njk', vars: { color: 'red' }, requires: 'package:vim' }),
  directory('/srv/site', { from: 'site', purge: true }),
  link('/srv/current', { target: 'site' }),
  line('/etc/hosts', { line: '10.0.0.1 db', match: ' db$' }),
  block('/etc/hosts', { block: 'x', name: 'cluster' }),
  service('nginx', { state: 'running', enabled: true }),
  user('deploy', { groups: ['adm'] }), group('deploy'),
  authorizedKey('ann', { user: 'deploy', key: 'ssh-ed25519 AAAA ann' }),
  command('probe', { argv: ['uname', '-r'], register: 'probe', changedWhen: false, failedWhen: 'result.rc > 1' }),
  command('go', { argv: ['true'], when: 'probe.rc == 0 and not probe.stdout == "x"' }),
  echo('kernel {{ probe.stdout }}!'), assert('ok', { that: ['probe.rc == 0', true] }),
  stop('enough', { when: 'probe.rc == 3' }),
  file('/gone', { state: 'absent', when: facts.os.family === 'redhat' }),
  [null, false, undefined, [file('/nested')]],
]`;

const files = {
  'roles/web/files/raw.txt': 'raw',
  'files/shared.txt': 'shared',
  'roles/web/files/site/index.html': '<p>',
  'roles/web/files/site/css/a.css': 'a{}',
  'roles/web/templates/app.conf.njk':
    'port {{ port }}\n{% include "part.njk" %}on {{ host.name }} {{ facts.os.family }}\n',
  'templates/part.njk': 'color {{ color }}\n',
};
const more =
  "variables: { port: 8080 }, handlers: { reload: () => service('nginx', { state: 'reloaded' }) },";

describe('the policy engine', () => {
  it('gives a valid plan with every kind, its contents and its places', async () => {
    const subject = subjectOf('a', { port: 81 }, { facts: debianFacts });
    const evaluation = await evaluateWeb(everything, { more, files, subject });
    expect(evaluation.kind === 'failed' ? evaluation.problems : []).toEqual([]);
    if (evaluation.kind !== 'plan') throw new Error(evaluation.kind);
    expect(rolePlanSchema.safeParse(evaluation.plan).success).toBe(true);
    expect(evaluation.plan).toMatchSnapshot();
    expect(evaluation.places['file:/etc/motd']).toEqual({
      file: 'roles/web/role.ts',
      line: 6,
      column: 3,
      role: 'web',
    });
    expect(evaluation.places['package:curl']).toMatchObject({ line: 5 });
    expect(Object.keys(evaluation.inputs)).toContain('variables.port');
    expect(evaluation.inputs).not.toHaveProperty('variables.other');
  });

  it('holds the contents that a plan names', async () => {
    const { policy, engine } = await loadWeb({ ...files, 'roles/web/role.ts': roleFile(everything, more) });
    const [evaluation] = (await policy?.evaluate('web', [subjectOf('a', {}, { facts: debianFacts })])) ?? [];
    if (evaluation?.kind !== 'plan') throw new Error('no plan');
    const texts: string[] = [];
    for (const [sha256, size] of planContents(evaluation.plan)) {
      const bytes = await readContent(policy?.contents, sha256);
      expect(bytes?.length).toBe(size);
      texts.push(String(bytes));
    }
    expect(texts).toEqual([
      'hello 8080\n',
      'raw',
      'shared',
      'port 8080\ncolor red\non a debian\n',
      'a{}',
      '<p>',
    ]);
    await engine.close();
  });

  it('evaluates once for hosts that read equal values and again for a changed one', async () => {
    const { policy, engine } = await loadWeb({
      'roles/web/role.ts': roleFile(
        "[file('/x', { content: String(vars.port) })]",
        'variables: { port: 1 },',
      ),
    });
    const subjects = Array.from({ length: 200 }, (_, i) =>
      subjectOf(`h${i}`, { other: i, ...(i % 50 === 7 ? { port: i } : {}) }),
    );
    const answers = (await policy?.evaluate('web', subjects)) ?? [];
    expect(engine.counters).toEqual({ evaluations: 5, hits: 195 });
    const [a, b, c] = [answers[0], answers[1], answers[7]];
    if (a?.kind !== 'plan' || b?.kind !== 'plan' || c?.kind !== 'plan') throw new Error('no plans');
    expect([a.plan.host, b.plan.host, a.digest === b.digest, a.digest === c.digest]).toEqual([
      'h0',
      'h1',
      true,
      false,
    ]);
    expect(b.places).toBe(a.places);
    await engine.close();
  });

  it('asks for facts only when they are read', async () => {
    const role = roleFile("[facts.os.family === 'debian' && file('/x')]");
    const { policy, engine } = await loadWeb({ 'roles/web/role.ts': role });
    expect(await policy?.evaluate('web', [subjectOf('a'), subjectOf('b')])).toEqual([
      { kind: 'needs-facts' },
      { kind: 'needs-facts' },
    ]);
    expect(engine.counters.evaluations).toBe(1);
    const [known] = (await policy?.evaluate('web', [subjectOf('a', {}, { facts: debianFacts })])) ?? [];
    expect(known?.kind).toBe('plan');
    const moved = { ...debianFacts, uptime: 6 };
    await policy?.evaluate('web', [subjectOf('a', {}, { facts: moved })]);
    expect(engine.counters.evaluations).toBe(2);
    await engine.close();
  });

  it('answers not-wanted when the role says no', async () => {
    const evaluation = await evaluateWeb('[]', { more: "when: ({ host }) => host.groups.includes('web')," });
    expect(evaluation.kind).toBe('not-wanted');
  });

  it('sees a new file that an import now finds first', async () => {
    const engine = engineInProcess();
    const role = `import { text } from '../../lib'\n${roleFile("[file('/x', { content: text })]")}`;
    const before = { 'roles/web/role.ts': role, 'lib.js': "export const text = 'old'" };
    const digests: string[] = [];
    for (const files of [before, { ...before, 'lib.ts': "export const text: string = 'new'" }, before]) {
      const { policy } = await loadWeb(files, engine);
      const [evaluation] = (await policy?.evaluate('web', [subjectOf('a')])) ?? [];
      digests.push(evaluation?.kind === 'plan' ? evaluation.digest : 'none');
    }
    expect(new Set(digests)).toHaveLength(2);
    expect(digests[2]).toBe(digests[0]);
    await engine.close();
  });

  it('keeps what an unchanged role gave when another role changes', async () => {
    const engine = engineInProcess();
    const web = roleFile("[file('/x', { content: 'x' })]");
    const first = await engine.load(snapshotOf({ 'roles/web/role.ts': web, 'roles/db/role.ts': web }), [
      'web',
      'db',
    ]);
    const second = await engine.load(
      snapshotOf({ 'roles/web/role.ts': web, 'roles/db/role.ts': roleFile('[]') }),
      ['web', 'db'],
    );
    if (!first.ok || !second.ok) throw new Error('not loaded');
    await first.value.evaluate('web', [subjectOf('a')]);
    await second.value.evaluate('web', [subjectOf('a')]);
    expect(engine.counters).toEqual({ evaluations: 1, hits: 1 });
    expect(second.value.policy.roles.get('web')?.sourceDigest).toBe(
      first.value.policy.roles.get('web')?.sourceDigest,
    );
    expect(second.value.policy.roles.get('db')?.sourceDigest).not.toBe(
      first.value.policy.roles.get('db')?.sourceDigest,
    );
    await engine.close();
  });

  it('renders a template that reads results on the host', async () => {
    const evaluation = await evaluateWeb(
      "[command('p', { argv: ['x'], register: 'probe' }), template('/x', { from: 'r.njk' })]",
      {
        files: { 'roles/web/templates/r.njk': 'k {{ results.probe.stdout }} {{ vars.port }}\n' },
        more: 'variables: { port: 1 },',
      },
    );
    if (evaluation.kind !== 'plan') throw new Error(JSON.stringify(evaluation));
    const wanted = evaluation.plan.resources[1]?.wanted as {
      deferred: { program: { sha256: string }; context: object; source: string };
    };
    expect(wanted.deferred.context).toEqual({ vars: { port: 1 } });
    const program = String(await readContent(evaluation.contents, wanted.deferred.program.sha256));
    const { runInNewContext } = await import('node:vm');
    const module = { exports: {} as { render(context: object): string } };
    runInNewContext(`(function(module, exports){${program}\n})`)(module, module.exports);
    expect(module.exports.render({ ...wanted.deferred.context, results: { probe: { stdout: 'v6' } } })).toBe(
      'k v6 1\n',
    );
    expect(() => module.exports.render({ ...wanted.deferred.context, results: {} })).toThrow(
      'roles/web/templates/r.njk:1:3: results.probe.stdout is not defined',
    );
  });
});
