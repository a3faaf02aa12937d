// CodeMirror for rules and JSON, loaded when somebody opens them. It lives in a shadow root: there its styles are constructed
// sheets, which a policy without inline styles allows.
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands';
import { bracketMatching, HighlightStyle, indentUnit, StreamLanguage, syntaxHighlighting } from '@codemirror/language';
import { linter, lintGutter, forceLinting, lintKeymap } from '@codemirror/lint';
import { unifiedMergeView } from '@codemirror/merge';
import { highlightSelectionMatches, search, searchKeymap } from '@codemirror/search';
import { EditorState, StateEffect, StateField } from '@codemirror/state';
import { Decoration, drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers } from '@codemirror/view';
import { tags } from '@lezer/highlight';

const words = /^(?:auth|data|newData|root|now|query)\b/;
const functions =
  /^(?:val|child|parent|exists|hasChild|hasChildren|isNumber|isString|isBoolean|getPriority|matches|contains|beginsWith|endsWith|replace|toLowerCase|toUpperCase|length)\b/;

// JSON with comments, whose texts behind a colon are expressions in rules, and texts otherwise.
const languageOf = (name) => StreamLanguage.define({
  name,
  startState: () => ({ within: '', isKey: false, open: '', isComment: false }), // `open`: the brackets around the place
  token(stream, state) {
    if (state.isComment) {
      state.isComment = !stream.match(/^.*?\*\//);
      if (state.isComment) stream.skipToEnd();
      return 'comment';
    }
    if (state.within === 'key') {
      if (stream.match(/^(?:[^"\\]|\\.)+/))
        return name === 'json' ? 'propertyName' : stream.current().startsWith('.')
          ? 'keyword'
          : stream.current().startsWith('$')
            ? 'variableName'
            : 'propertyName';
      stream.next();
      state.within = '';
      return 'propertyName';
    }
    if (state.within === 'text' && name === 'json') {
      stream.match(/^(?:[^"\\]|\\.)*/);
      if (stream.next() === '"') state.within = '';
      return 'string';
    }
    if (state.within === 'text') {
      if (stream.match('"')) {
        state.within = '';
        return 'string';
      }
      if (stream.eatSpace()) return null;
      if (stream.match(/^'(?:[^'\\]|\\.)*'|^\/(?:[^/\\\s]|\\.)+\/i?/)) return 'string';
      if (stream.match(/^\$\w+/)) return 'variableName';
      if (stream.match(/^\d[\d.]*/)) return 'number';
      if (stream.match(/^(?:true|false|null)\b/)) return 'atom';
      if (stream.match(words)) return 'keyword';
      if (stream.match(functions)) return 'variableName.function';
      if (stream.match(/^[&|=!<>?:+*%-]+/)) return 'operator';
      if (stream.match(/^\w+/)) return 'string';
      if (stream.next() === '\\') stream.next();
      return null;
    }
    if (stream.eatSpace()) return null;
    if (stream.match('//')) {
      stream.skipToEnd();
      return 'comment';
    }
    if (stream.match('/*')) {
      state.isComment = !stream.match(/^.*?\*\//);
      if (state.isComment) stream.skipToEnd();
      return 'comment';
    }
    if (stream.match('"')) {
      state.within = state.isKey ? 'key' : 'text';
      return state.isKey ? 'propertyName' : 'string';
    }
    if (stream.match(/^(?:true|false|null)\b/)) return 'atom';
    if (stream.match(/^-?\d[\d.eE+-]*/)) return 'number';
    const next = stream.next();
    if (next === '{' || next === '[') state.open += next;
    if (next === '}' || next === ']') state.open = state.open.slice(0, -1);
    state.isKey = (next === '{' || next === ',') && state.open.endsWith('{');
    return /[{}[\],:]/.test(next) ? 'bracket' : null;
  },
  languageData: { commentTokens: { line: '//', block: { open: '/*', close: '*/' } } },
});

const languages = { rules: languageOf('rules'), json: languageOf('json') };

const colors = HighlightStyle.define([
  { tag: tags.keyword, color: 'var(--code-keyword)', fontWeight: '600' },
  { tag: tags.variableName, color: 'var(--code-variable)' },
  { tag: tags.function(tags.variableName), color: 'var(--code-function)' },
  { tag: tags.propertyName, color: 'var(--ink)' },
  { tag: tags.string, color: 'var(--code-string)' },
  { tag: [tags.number, tags.atom], color: 'var(--code-number)' },
  { tag: tags.comment, color: 'var(--faint)', fontStyle: 'italic' },
  { tag: [tags.operator, tags.bracket], color: 'var(--soft)' },
]);

const theme = EditorView.theme({
  '&': { height: '100%', fontSize: '13px', color: 'var(--ink)', backgroundColor: 'transparent' },
  '.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '1.55' },
  '.cm-gutters': { backgroundColor: 'transparent', color: 'var(--faint)', border: 'none' },
  '.cm-activeLine, .cm-activeLineGutter': { backgroundColor: 'var(--hover)' },
  '.cm-cursor': { borderLeftColor: 'var(--ember)' },
  '&.cm-focused': { outline: 'none' },
  '.cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground': {
    backgroundColor: 'var(--selection)',
  },
  '.cm-matchingBracket': { backgroundColor: 'var(--selection)' },
  '.cm-tooltip, .cm-panels': { backgroundColor: 'var(--raised)', color: 'var(--ink)', border: '1px solid var(--line)' },
  '.cm-panels input, .cm-panels button': {
    color: 'var(--ink)',
    backgroundColor: 'var(--raised)',
    backgroundImage: 'none',
  },
  '.cm-diagnostic-error': { borderLeftColor: 'var(--bad)' },
  '.covered-both': { backgroundColor: 'var(--covered-both)' },
  '.covered-one': { backgroundColor: 'var(--covered-one)' },
  '.covered-none': { backgroundColor: 'var(--covered-none)' },
  '.cm-changedLine': { backgroundColor: 'var(--added) !important' },
  '.cm-changedText': { background: 'var(--added-text) !important' },
  '.cm-deletedChunk': { backgroundColor: 'var(--removed)' },
  '.cm-deletedChunk .cm-deletedText': { background: 'var(--removed-text)' },
});

const cover = StateEffect.define();
const covered = StateField.define({
  create: () => Decoration.none,
  update(marks, change) {
    for (const effect of change.effects) if (effect.is(cover)) return effect.value;
    return marks.map(change.changes);
  },
  provide: (field) => EditorView.decorations.from(field),
});

function placeOf(doc, line, column) {
  const at = doc.line(Math.max(1, Math.min(line, doc.lines)));
  return Math.min(at.to, at.from + Math.max(0, column - 1));
}

function shadowOf(host) {
  return host.shadowRoot ?? host.attachShadow({ mode: 'open' });
}

export class Editor {
  // `check(text)` answers [{ line, column, text, isWarning }], as somebody types. `kind`: 'rules', or 'json', which stands in a
  // form: there Tab goes on to the next field.
  constructor(host, { text, label, onChange, check, kind = 'rules' }) {
    const root = shadowOf(host);
    root.replaceChildren();
    this.view = new EditorView({
      root,
      parent: root,
      state: EditorState.create({
        doc: text,
        extensions: [
          lineNumbers(),
          history(),
          drawSelection(),
          highlightActiveLine(),
          bracketMatching(),
          highlightSelectionMatches(),
          search({ top: true }),
          indentUnit.of('  '),
          EditorView.lineWrapping,
          languages[kind],
          syntaxHighlighting(colors),
          theme,
          covered,
          lintGutter(),
          linter(
            async (view) => {
              const { doc } = view.state;
              return (await check(doc.toString())).map(({ line, column, text: message, isWarning }) => {
                const from = placeOf(doc, line, column);
                const word = /^[\w$.']+/.exec(doc.sliceString(from, from + 60))?.[0].length ?? 1;
                return {
                  from,
                  to: Math.min(doc.length, from + word),
                  severity: isWarning ? 'warning' : 'error',
                  message,
                };
              });
            },
            { delay: 250 },
          ),
          EditorView.contentAttributes.of({ 'aria-label': label, spellcheck: 'false', tabindex: '0' }),
          // Tab indents; Escape and then Tab leaves the editor, as CodeMirror has it for people without a mouse.
          keymap.of([
            ...defaultKeymap,
            ...historyKeymap,
            ...searchKeymap,
            ...lintKeymap,
            ...(kind === 'json' ? [] : [indentWithTab]),
          ]),
          EditorView.updateListener.of((update) => update.docChanged && onChange(update.state.doc.toString())),
        ],
      }),
    });
  }
  get text() {
    return this.view.state.doc.toString();
  }
  focus() {
    this.view.focus();
  }
  set text(text) {
    this.view.dispatch({ changes: { from: 0, to: this.view.state.doc.length, insert: text } });
  }
  recheck() {
    forceLinting(this.view);
  }
  show(line, column) {
    const at = placeOf(this.view.state.doc, line, column);
    this.view.dispatch({ selection: { anchor: at }, effects: EditorView.scrollIntoView(at, { y: 'center' }) });
    this.view.focus();
  }
  // `rules` as /.inspect/coverage.json has them; null: no shades.
  cover(rules) {
    const { doc } = this.view.state;
    const marks = (rules ?? []).map((rule) => {
      const place = placeOf(doc, rule.line, rule.column);
      const from = doc.sliceString(place, place + 1) === '"' ? place + 1 : place;
      const both = rule.true > 0 && rule.false > 0;
      const name = both ? 'covered-both' : rule.true + rule.false + rule.failed > 0 ? 'covered-one' : 'covered-none';
      const title = `${rule.true} times true, ${rule.false} times false${rule.failed > 0 ? `, ${rule.failed} times failed` : ''}`;
      return Decoration.mark({ class: name, attributes: { title } }).range(
        from,
        Math.min(doc.length, from + Math.max(1, rule.source.length)),
      );
    });
    this.view.dispatch({ effects: cover.of(Decoration.set(marks, true)) });
  }
  end() {
    this.view.destroy();
  }
}

// What would change: read only.
export class Difference {
  constructor(host, before, after) {
    const root = shadowOf(host);
    root.replaceChildren();
    this.view = new EditorView({
      root,
      parent: root,
      state: EditorState.create({
        doc: after,
        extensions: [
          lineNumbers(),
          EditorView.lineWrapping,
          languages.rules,
          syntaxHighlighting(colors),
          theme,
          EditorView.editable.of(false),
          EditorState.readOnly.of(true),
          EditorView.contentAttributes.of({ 'aria-label': 'What would change', tabindex: '0' }),
          unifiedMergeView({ original: before, mergeControls: false, collapseUnchanged: { margin: 3, minSize: 6 } }),
        ],
      }),
    });
  }
  end() {
    this.view.destroy();
  }
}
