// A field for JSON, with its mistakes marked as one types. CodeMirror comes when the field is there; until then, and where it
// does not come, it is a plain text field.
import { useEffect, useRef, useState } from 'preact/hooks';
import { jsonErrorAt, placeIn, whyNoJson } from './json_error.js';
import { Field } from './ui.jsx';

const kEditedMax = 1_000_000; // characters; of what is longer the beginning is shown, to read only

function check(text) {
  const at = text.trim() === '' ? -1 : jsonErrorAt(text);
  return at < 0 ? [] : [{ ...placeIn(text, at), text: whyNoJson(text) }];
}

export function JsonField({ label, hint, text, setText, rows = 6, autofocus = false }) {
  const host = useRef();
  const editor = useRef();
  const told = useRef(text); // what the editor and whoever uses it agree on
  const set = useRef(setText);
  set.current = setText;
  const [isThere, setThere] = useState(false);
  const isLong = text.length > kEditedMax;
  useEffect(() => {
    if (isLong) return undefined;
    let isGone = false;
    import('./editor.js').then(
      ({ Editor }) => {
        if (isGone) return;
        editor.current = new Editor(host.current, {
          kind: 'json',
          text: told.current,
          label,
          check,
          onChange: (now) => {
            told.current = now;
            set.current(now);
          },
        });
        setThere(true);
        if (autofocus) editor.current.focus();
      },
      () => {}, // the plain field does
    );
    return () => {
      isGone = true;
      editor.current?.end();
      editor.current = undefined;
      setThere(false);
    };
  }, [isLong]);
  useEffect(() => {
    if (told.current === text) return;
    told.current = text;
    if (editor.current !== undefined) editor.current.text = text;
  }, [text]);
  const height = { height: `${rows * 1.55 + 1}em` };
  return (
    <div class="json-field">
      {!isThere && (
        <Field label={label} hint={hint}>
          <textarea
            class="code"
            rows={rows}
            spellcheck={false}
            value={isLong ? `${text.slice(0, kEditedMax)}…` : text}
            readOnly={isLong}
            autofocus={autofocus}
            onInput={(event) => {
              told.current = event.target.value;
              setText(event.target.value);
            }}
          />
        </Field>
      )}
      <div class="field" hidden={!isThere}>
        <span>{label}</span>
        <div class="editor" style={height} ref={host} />
        {hint && <small>{hint}</small>}
      </div>
    </div>
  );
}
