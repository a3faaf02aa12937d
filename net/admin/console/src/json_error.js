// Where a text stops being JSON. The browser's own messages name a place in some cases alone.

const token =
  /[ \t\r\n]*(?:([{}[\],:])|("[^"\\\u0000-\u001f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\u0000-\u001f]*)*")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null))/y;

// The offset of the first thing that cannot stand where it does; -1: it is JSON.
export function jsonErrorAt(text) {
  const open = []; // the brackets that are open, as "{" and "["
  let wants = 'value'; // or 'key', 'key or }', 'value or ]', 'colon', 'comma', 'end'
  const behind = () => {
    wants = open.length === 0 ? 'end' : 'comma';
  };
  for (let at = 0; ; at = token.lastIndex) {
    token.lastIndex = at;
    const found = token.exec(text);
    if (found === null) {
      const rest = at + /^[ \t\r\n]*/.exec(text.slice(at))[0].length;
      return rest === text.length && wants === 'end' ? -1 : rest;
    }
    const [whole, sign, string, other] = found;
    const place = at + whole.length - (sign ?? string ?? other).length;
    const isValue = wants === 'value' || wants === 'value or ]';
    const isKey = wants === 'key' || wants === 'key or }';
    if (string !== undefined && isKey) wants = 'colon';
    else if ((string ?? other) !== undefined && isValue) behind();
    else if ((sign === '{' || sign === '[') && isValue) {
      open.push(sign);
      wants = sign === '{' ? 'key or }' : 'value or ]';
    } else if (sign === ':' && wants === 'colon') wants = 'value';
    else if (sign === ',' && wants === 'comma') wants = open[open.length - 1] === '{' ? 'key' : 'value';
    else if (
      (sign === '}' && open[open.length - 1] === '{' && (wants === 'comma' || wants === 'key or }')) ||
      (sign === ']' && open[open.length - 1] === '[' && (wants === 'comma' || wants === 'value or ]'))
    ) {
      open.pop();
      behind();
    } else return place;
  }
}

// "line 3, column 7: …", for people; "" when it is JSON.
export function whyNoJson(text) {
  const at = jsonErrorAt(text);
  if (at < 0) return '';
  const { line, column } = placeIn(text, at);
  const rest = text.slice(at).split('\n', 1)[0].trim();
  const what = rest === '' ? 'something is missing' : `“${rest.slice(0, 20)}${rest.length > 20 ? '…' : ''}” cannot stand here`;
  return `line ${line}, column ${column}: ${what}`;
}

export function placeIn(text, at) {
  const before = text.slice(0, at);
  const line = before.split('\n').length;
  return { line, column: at - before.lastIndexOf('\n') };
}
