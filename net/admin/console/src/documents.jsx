// The page "Documents": which Yjs documents are stored, how large they are, and what one of them says now. Read only.
import { useEffect, useState } from 'preact/hooks';
import { admin, namespace } from './api.js';
import { parsePath, textOf, toJson } from './path.js';
import { usePolled } from './poll.js';
import { attempt, go, hrefOf, isAdmin, path, session } from './state.js';
import { Button, bytes, copy, count, Empty, few, ForAdmins, save, Table, Trouble } from './ui.jsx';

const kPage = 100;
const kShownMax = 200_000; // characters of a document

const list = async (space, after, signal) =>
  (await admin('GET', '/.inspect/documents.json', { query: { ns: space, after, limit: kPage }, signal })).value;

function One({ at }) {
  const space = namespace.value;
  const where = textOf(at);
  const ask = async (signal) =>
    (await admin('GET', '/.inspect/document.json', { query: { ns: space, path: where }, signal })).value;
  const { value: found, error, again } = usePolled(ask, 0, [space, where, session.value]);
  const text = found === null ? '' : toJson(found.json, 2);
  return (
    <div class="card" role="region" aria-label="One document">
      <div class="bar">
        <h2 dir="auto">{where}</h2>
        <Button kind="small" onClick={again}>
          Read again
        </Button>
        <Button kind="small" disabled={found === null} onClick={() => copy(text, 'the document')}>
          Copy
        </Button>
        <Button kind="small" disabled={found === null} onClick={() => save(`${at.join('-')}.json`, [text])}>
          Export
        </Button>
      </div>
      <Trouble text={error} />
      {found !== null && (
        <>
          <p>
            {bytes(found.bytes)} in {few(found.updates, 'update')}
            {found.pending ? '; some of them wait for others that have not come' : ''}
          </p>
          <pre tabIndex={0} dir="auto" aria-label="The document as JSON">
            {text.length > kShownMax ? `${text.slice(0, kShownMax)}…` : text}
          </pre>
        </>
      )}
    </div>
  );
}

// The pages that have been read, one behind the other.
function useDocuments(space, isOn) {
  const [found, setFound] = useState({ documents: null, next: null, error: '' });
  const load = async (after, known) => {
    try {
      const { documents, next } = await list(space, after);
      setFound({ documents: [...known, ...documents], next, error: '' });
    } catch (error) {
      setFound({ documents: known, next: null, error: error.message });
    }
  };
  const again = () => load(undefined, []);
  useEffect(() => {
    if (isOn) again();
  }, [space, isOn]);
  return { ...found, again, more: () => attempt(() => load(found.next, found.documents)) };
}

export function DocumentsPage() {
  const space = namespace.value;
  const { documents, next, error, again, more } = useDocuments(space, isAdmin.value);
  const at = path.value;
  if (!isAdmin.value) return <ForAdmins what="What documents hold" />;
  return (
    <section class="page" aria-label="Documents">
      {documents !== null && documents.length === 0 && error === '' ? (
        <Empty title="No document is stored here">
          Editors that use Yjs keep their documents at paths of this namespace; which ones may be there is the setting
          “Where Yjs documents may be” of the page <a href={hrefOf('spaces')}>Namespaces</a>.
        </Empty>
      ) : (
        <div class="card">
          <div class="bar">
            <h2>
              Documents <small>stored in {space}</small>
            </h2>
            <Button kind="small" onClick={again}>
              Reload
            </Button>
          </div>
          <Trouble text={error} />
          {documents !== null && (
            <Table label="List of documents" heads={['Path', '#Updates', '#Bytes']}>
              {documents.map((one) => (
                <tr key={one.path}>
                  <th scope="row">
                    <button type="button" class="link" dir="auto" onClick={() => go('documents', parsePath(one.path))}>
                      {one.path}
                    </button>
                  </th>
                  <td class="number">{count(one.updates)}</td>
                  <td class="number">{bytes(one.bytes)}</td>
                </tr>
              ))}
            </Table>
          )}
          {next !== null && <Button onClick={more}>More</Button>}
        </div>
      )}
      {documents !== null && at.length > 0 && <One key={`${space} ${textOf(at)}`} at={at} />}
    </section>
  );
}
