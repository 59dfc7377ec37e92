import { describe, expect, it } from 'vitest';
import { analyseTemplate } from '../../../reconciler/policy/evaluation/template-analysis.ts';
import { evaluateWeb, readContent, subjectOf } from './fixtures.ts';

const names = (text: string): string[] => [...analyseTemplate(text).names.keys()];

describe('what a template mentions', () => {
  it.each([
    ['{{ a.b.c + d["e"] }}', ['a', 'd']],
    ['{{ a[b] }}', ['b', 'a']],
    ['{% for k, v in a %}{{ k }}{{ v }}{{ loop.index }}{% else %}{{ b }}{% endfor %}', ['a', 'k', 'v', 'b']],
    ['{% set x = a %}{{ x }}{% set y %}{{ b }}{% endset %}', ['a', 'x', 'b']],
    ['{% macro m(p, q=1) %}{{ p }}{% endmacro %}{{ m(a) }}', ['p', 'm', 'a']],
    ['{{ {"k": a, j: b} | dump }}{{ [c, (d)] }}', ['a', 'b', 'c', 'd']],
    ['{{ a if b else c }}{% if d is defined %}{% endif %}', ['a', 'b', 'c', 'd']],
    ['{% block x %}{{ a }}{% endblock %}{{ range(3) | join(b) }}', ['a', 'b']],
    ['{% switch a %}{% case b %}{{ c }}{% endswitch %}', ['a', 'b', 'c']],
  ])('%s: %j', (text, expected) => {
    expect(names(text).sort()).toEqual([...expected].sort());
  });

  it('knows what a template binds itself and what it includes', () => {
    const analysis = analyseTemplate(
      '{% extends "base" %}{% import "m" as mm %}{% from "n" import x as y, z %}{% include "p" %}{% include q %}',
    );
    expect([...analysis.bound].sort()).toEqual(['mm', 'x', 'y', 'z']);
    expect(analysis.includes).toEqual(['base', 'm', 'n', 'p', undefined]);
  });
});

describe('rendering', () => {
  const render = async (text: string, variables = {}): Promise<string> => {
    const files = {
      'roles/web/templates/t': text,
      'templates/base': '<{% block body %}{% endblock %}>',
      'templates/m': '{% macro hi(n) %}hi {{ n }}{% endmacro %}',
    };
    const evaluation = await evaluateWeb("template('/x', { from: 't' })", {
      files,
      subject: subjectOf('h', variables),
    });
    if (evaluation.kind !== 'plan') throw new Error(JSON.stringify(evaluation));
    const wanted = evaluation.plan.resources[0]?.wanted as { content: { sha256: string } };
    return String(await readContent(evaluation.contents, wanted.content.sha256));
  };

  it.each([
    ['{% extends "base" %}{% block body %}{{ a }}{% endblock %}', { a: 1 }, '<1>'],
    ['{% import "m" as m %}{{ m.hi(host.name) }}', {}, 'hi h'],
    ['{% for k, v in o %}{{ k }}={{ v }};{% endfor %}', { o: { b: 1, a: 2 } }, 'a=2;b=1;'],
    ['{% for x in l %}{{ x.n }}{% endfor %}', { l: [{ n: 1 }, { n: 2 }] }, '12'],
    ['{% if a %}\n  yes\n{% endif %}\n<&"\n', { a: true }, '  yes\n<&"\n'],
    ['{{ "{{ a }}" }}{{ s }}', { s: '{{ host.name }}' }, '{{ a }}{{ host.name }}'],
  ])('%s', async (text, variables, expected) => {
    expect(await render(text, variables)).toBe(expected);
  });
});
