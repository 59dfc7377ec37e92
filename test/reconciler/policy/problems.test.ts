import { describe, expect, it } from 'vitest';
import type { Problem } from '../../../agent/protocol/problem.ts';
import {
  debianFacts,
  engineInProcess,
  evaluateWeb,
  loadWeb,
  roleFile,
  snapshotOf,
  subjectOf,
} from './fixtures.ts';

async function problemsOf(
  resources: string,
  options: Parameters<typeof evaluateWeb>[1] = {},
): Promise<readonly Problem[]> {
  const evaluation = await evaluateWeb(resources, options);
  return evaluation.kind === 'failed' ? evaluation.problems : [];
}

async function loadProblems(files: Readonly<Record<string, string>>): Promise<readonly Problem[]> {
  const { problems, engine } = await loadWeb(files);
  await engine.close();
  return problems;
}

const role = 'roles/web/role.ts';

describe('problems of loading', () => {
  it('names a missing role and the nearest one', async () => {
    const engine = engineInProcess();
    const loaded = await engine.load(snapshotOf({ 'roles/web/role.ts': roleFile('[]') }), ['wbe', 'nothing']);
    await engine.close();
    expect(loaded.ok ? [] : loaded.problems.map(({ code, message }) => [code, message])).toEqual([
      ['policy.role-missing', 'there is no role wbe (did you mean web?)'],
      ['policy.role-missing', 'there is no role nothing'],
    ]);
  });

  it('reports every syntax error of every role with its place', async () => {
    const engine = engineInProcess();
    const files = {
      'roles/a/role.ts': 'export default 1 +\n',
      'roles/b/role.ts': "import './x.ts'\nconst = 2\n",
      'roles/b/x.ts': 'let y = }',
    };
    const loaded = await engine.load(snapshotOf(files), ['a', 'b']);
    await engine.close();
    expect(loaded.ok ? [] : loaded.problems.map(({ code, where }) => [code, where])).toEqual([
      ['policy.syntax', { file: 'roles/a/role.ts', line: 2, column: 1 }],
      ['policy.syntax', { file: 'roles/b/role.ts', line: 2, column: 7 }],
    ]);
  });

  it('refuses imports of anything but the policy', async () => {
    const text =
      "import 'node:fs'\nimport x from 'left-pad'\nimport './gone.ts'\nimport '../../../out.ts'\nimport './a.css'\nexport default x";
    const problems = await loadProblems({ [role]: text, 'roles/web/a.css': '' });
    expect(problems.map(({ code, where }) => [code, where?.line, where?.column])).toEqual([
      ['policy.import-refused', 1, 8],
      ['policy.import-refused', 2, 15],
      ['policy.import-missing', 3, 8],
      ['policy.import-refused', 4, 8],
      ['policy.import-refused', 5, 8],
    ]);
  });

  it('refuses a file that exports no role', async () => {
    expect(await loadProblems({ [role]: 'export default {}' })).toMatchObject([
      { code: 'policy.not-a-role', where: { file: role } },
    ]);
  });

  it('reports everything wrong with defineRole at once', async () => {
    const more =
      "target: {}, serial: [0], maxFailures: 'x%', connect: { usr: 'a' }, after: ['wbe'], handlers: { a: 1 },";
    const problems = await loadProblems({ [role]: roleFile('[]', more) });
    expect(problems.map(({ code, message, where }) => [code, where?.line, message])).toEqual([
      ['policy.bad-role', 2, 'role web: defineRole has no target (did you mean targets?)'],
      ['policy.bad-role', 2, 'role web: connect has no usr'],
      ['policy.bad-role', 2, "role web: serial must be a count, a share such as '25%', or a list of them"],
      ['policy.bad-role', 2, "role web: maxFailures must be a count or a share such as '25%'"],
      ['policy.bad-role', 2, 'role web: handlers must be functions by name'],
    ]);
    expect(await loadProblems({ [role]: roleFile('[]', "after: ['wbe'],") })).toMatchObject([
      { code: 'policy.bad-role', message: 'after: there is no role wbe (did you mean web?)' },
    ]);
  });

  it('refuses top-level code that throws, with its place in an imported file', async () => {
    const problems = await loadProblems({
      [role]: "import './lib.ts'\nexport default 1",
      'roles/web/lib.ts': '\n  null.x',
    });
    expect(problems).toMatchObject([
      { code: 'policy.role-failed', where: { file: 'roles/web/lib.ts', line: 2, column: 8 } },
    ]);
  });
});

describe('problems of evaluating', () => {
  it.each([
    [
      "file('/x', { contnet: 'a' })",
      'policy.unknown-parameter',
      'file:/x: file has no parameter contnet (did you mean content?)',
    ],
    ["file('x')", 'policy.bad-parameter', 'file:x: path must be an absolute path'],
    ["file('/x', { mode: '9' })", 'policy.bad-parameter', 'file:/x: mode does not match ^[0-7]{4}$'],
    [
      "file('/x', { content: 'a', from: 'b' })",
      'policy.bad-parameter',
      'file:/x: content and from exclude each other',
    ],
    ["file('/x', { content: 3 })", 'policy.bad-parameter', 'file:/x: content must be a text, not 3'],
    [
      "file('/x', { from: 'b' })",
      'policy.file-missing',
      'file:/x: from: neither roles/web/files/b nor files/b exists',
    ],
    [
      "file('/x', { from: '../b' })",
      'policy.file-missing',
      'file:/x: from: neither roles/web/files/../b nor files/../b exists',
    ],
    [
      "directory('/x', { from: 'b' })",
      'policy.file-missing',
      'directory:/x: from: neither roles/web/files/b nor files/b exists',
    ],
    ["template('/x', {})", 'policy.bad-parameter', 'template:/x: from must name a template'],
    ["link('/x', {})", 'policy.bad-parameter', 'link:/x: target is missing'],
    [
      "pkg('x', { state: 'latest', version: '1' })",
      'policy.bad-parameter',
      "package:x: state 'latest' and version exclude each other",
    ],
    [
      "service('x', { state: 'on' })",
      'policy.bad-parameter',
      'service:x: state expected "running" or "stopped" or "restarted" or "reloaded"',
    ],
    ["command('x', {})", 'policy.bad-parameter', 'command:x: argv is missing'],
    [
      "command('x', { argv: ['a'], retries: '3' })",
      'policy.bad-parameter',
      'command:x: retries expected a number',
    ],
    [
      "command('x', { argv: ['a'], register: 'a-b' })",
      'policy.bad-parameter',
      'command:x: register must be a name such as probe, not "a-b"',
    ],
    [
      "echo('x', { when: 'a ==' })",
      'policy.bad-expression',
      'echo:x: when: expected a name or a value, found the end at line 1, column 5 of "a =="',
    ],
    ["echo('x', { when: 3 })", 'policy.bad-parameter', 'echo:x: when must be a boolean or a text'],
    [
      "echo('x', { when: 'a.rc == 0' })",
      'policy.unknown-result',
      'echo:x: when reads a, which nothing before it registers',
    ],
    ["echo('x', { notify: 'reload' })", 'policy.unknown-handler', 'echo:x: notifies "reload"'],
    [
      "echo('x', { requires: 'echo:y' })",
      'policy.unknown-requirement',
      'echo:x: requires echo:y, which is not in this role (did you mean echo:x?)',
    ],
    ["[echo('x'), echo('x')]", 'policy.duplicate-resource', 'echo:x: is declared twice in this role'],
    [
      "[echo('x', { requires: 'echo:y' }), echo('y', { requires: 'echo:x' })]",
      'policy.requires-cycle',
      'echo:x: requires itself: echo:x → echo:y → echo:x',
    ],
    ["['x']", 'policy.not-a-resource', 'resources of role web returned a string, which is no resource'],
    [
      'Promise.resolve([])',
      'policy.not-a-resource',
      'resources of role web returned a promise; role functions are not async',
    ],
    ['[vars.x.y]', 'policy.role-failed', "role web: Cannot read properties of undefined (reading 'y')"],
    ['[vars.x = 1]', 'policy.role-failed', 'role web: variables are read-only: x cannot be set'],
    [
      '[host.groups.push("a")]',
      'policy.role-failed',
      'role web: Cannot add property 1, object is not extensible',
    ],
    ['[new Date()]', 'policy.not-deterministic', 'Date differs from one evaluation to the next'],
    ['[Math.random()]', 'policy.not-deterministic', 'Math.random() differs from one evaluation to the next'],
    ['[process.exit(1)]', 'policy.role-failed', 'role web: process is not defined'],
    [
      "[data('x.json')]",
      'policy.role-failed',
      'role web: data: neither roles/web/data/x.json nor data/x.json exists',
    ],
    [
      '[facts.virtualization]',
      'policy.fact-missing',
      'the fact virtualization could not be read on this host',
    ],
  ])('%s gives %s', async (resources, code, message) => {
    const problems = await problemsOf(resources, { subject: subjectOf('a', {}, { facts: debianFacts }) });
    expect(problems.map((problem) => [problem.code, problem.message])).toContainEqual([code, message]);
    expect(problems[0]?.where?.file).toBe(role);
  });

  it('reports all problems of a role at once, each at its place', async () => {
    const problems = await problemsOf(
      "[\n  file('x'),\n  echo('y', { notify: 'z' }),\n  pkg('a', { sate: 'latest' }),\n]",
    );
    expect(problems.map(({ where }) => where?.line).sort()).toEqual([5, 6, 7]);
  });

  it.each([
    ['a\n{{ nope.x }}', 'policy.template-undefined', 2, 4],
    ['a\n {{ vars.nope.x }}', 'policy.template-failed', 2, 2],
    ['{% if nope %}{% endif %}', 'policy.template-undefined', 1, 7],
    ['{% for a in nope %}{% endfor %}', 'policy.template-undefined', 1, 13],
    ['{% if a %}', 'policy.template-syntax', undefined, undefined],
    ['a\n{{ 1 + }}', 'policy.template-syntax', 2, undefined],
    ['{% include "gone" %}', 'policy.template-syntax', undefined, undefined],
    ['{% include host.name %}', 'policy.template-syntax', undefined, undefined],
    ['ok\n{% include "inner.njk" %}', 'policy.template-failed', 3, 1],
  ])('a template %j gives %s with its place', async (text, code, line, column) => {
    const files = { 'roles/web/templates/t.njk': text, 'templates/inner.njk': '1\n2\n{{ vars.missing }}' };
    const problems = await problemsOf("template('/x', { from: 't.njk' })", { files });
    expect(problems).toMatchObject([{ code, resource: undefined }].map(({ code }) => ({ code })));
    if (line !== undefined) expect(problems[0]?.where?.line).toBe(line);
    if (column !== undefined) expect(problems[0]?.where?.column).toBe(column);
    expect(problems[0]?.where?.file).toMatch(/\.njk$/);
  });

  it('names a result that nothing registers', async () => {
    const files = { 'roles/web/templates/t.njk': '\n{{ results.prob.rc }}' };
    const resources = "[command('p', { argv: ['x'], register: 'probe' }), template('/x', { from: 't.njk' })]";
    expect(await problemsOf(resources, { files })).toMatchObject([
      {
        code: 'policy.unknown-result',
        message:
          'roles/web/templates/t.njk: nothing in this role registers results.prob (did you mean probe?)',
        where: { file: 'roles/web/templates/t.njk', line: 2, column: 4 },
      },
    ]);
  });

  it('lets a template test and default names that may be missing', async () => {
    const files = {
      'roles/web/templates/t.njk': '{% if a is defined %}{{ a }}{% endif %}{{ b | default("c") }}<&',
    };
    const evaluation = await evaluateWeb("template('/x', { from: 't.njk' })", { files });
    expect(evaluation.kind).toBe('plan');
  });

  it('names the place of an invalid data file', async () => {
    const files = {
      'roles/web/data/a.json': '{\n  "a": 1 2}',
      'data/b.toml': 'a = 1\nb = \n',
      'data/c.toml': '[x]\ny = [1, 2]',
    };
    expect(await problemsOf("[data('a.json')]", { files })).toMatchObject([
      { code: 'policy.data-invalid', where: { file: 'roles/web/data/a.json', line: 2, column: 10 } },
    ]);
    expect(await problemsOf("[data('b.toml')]", { files })).toMatchObject([
      { code: 'policy.data-invalid', where: { file: 'data/b.toml', line: 2 } },
    ]);
    expect(await problemsOf("[echo(String(data('c.toml').x.y))]", { files })).toEqual([]);
  });
});
