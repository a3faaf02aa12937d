// The page "Data": a tree of which only the rows that are seen are in the document, however many there are.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { credential, namespace, viewAs } from './api.js';
import { watchChanges } from './changes.js';
import { parsePath, Raw, textOf, toJson, typeOf } from './path.js';
import { attempt, go, hrefOf, isAdmin, path, question, say, sayings, unsay } from './state.js';
import { copyValue, exportAt } from './tree_actions.js';
import { askToRemove, InlineEditor, PlaceDialog } from './tree_dialogs.jsx';
import { kBlock, Tree } from './tree_model.js';
import { bytes, Button, clock, copy, count, Icon, IconButton, Menu } from './ui.jsx';

const kRow = 28; // as in style.css
const kPixelsMax = 20_000_000; // browsers end an element somewhere above 30 million
const kFlash = 1_600;
const kTold = 20_000; // for which a row says who changed it, and when
const isNarrow = matchMedia('(max-width: 700px)'); // a row has no room for a field then
const kMarksMax = 100; // changes that are shown at once

function Value({ node }) {
  if (node.kind === 'cut') return <span class="value text">text of {bytes(node.bytes)}</span>;
  const text = node.value instanceof Raw ? node.value.text : node.value;
  const shown = typeof text === 'string' && text.length > 400 ? `${text.slice(0, 400)}…` : text;
  const type = node.value instanceof Raw ? 'number' : typeOf(node.value);
  return (
    <span class={`value ${type}`} dir="auto">
      {type === 'text' ? JSON.stringify(shown) : String(shown)}
    </span>
  );
}

// What is said instead of rows.
function noteOf(list) {
  if (list.is === 'loading') return 'Reading…';
  if (list.is === 'failed') {
    const who =
      viewAs.value === null
        ? isAdmin.value
          ? 'you'
          : 'who signed in here'
        : viewAs.value.auth === null
          ? 'somebody who is signed out'
          : `“${viewAs.value.auth.uid}”`;
    if (/permission denied/i.test(list.error.message))
      return `Permission denied: the rules do not let ${who} read this.${isAdmin.value ? '' : ' “go to…” leads to a place that they do.'}`;
    return list.error.message;
  }
  if (list.prefix !== '') return `No key begins with “${list.prefix}”.`;
  return list.node.path.length === 0
    ? 'Nothing is here yet: press A to add a child, or drop a JSON file here.'
    : 'Nothing is here.';
}

function Row({ row, top, isChosen, isEdited, tree, act }) {
  const indent = { top: `${top}px`, paddingLeft: `${8 + row.depth * 18}px` };
  if (row.note) {
    const words = noteOf(row.list);
    const kinds = `${row.list.is === 'failed' ? 'bad' : ''} ${row.list.node === tree.root ? 'alone' : ''}`;
    return (
      <div class={`row note ${kinds}`} style={indent} role="treeitem" aria-level={row.depth + 1} title={words}>
        <span>{words}</span>
        {row.list.is === 'failed' && isAdmin.value && viewAs.value !== null && (
          <button
            type="button"
            class="link"
            onClick={() => {
              question.value = { does: 'read', uid: viewAs.value.auth?.uid ?? null };
              go('rules', row.list.node.path);
            }}
          >
            Ask the rules why
          </button>
        )}
      </div>
    );
  }
  if (row.gap)
    return (
      <div class="row gap" style={indent} role="none">
        <span />
      </div>
    );
  const { node } = row;
  const isRoot = node === tree.root;
  const isObject = node.kind === 'object' || (isRoot && node.kind === 'nothing');
  const flash = node.flash !== null && Date.now() - node.flash.at < kFlash ? `flash ${node.flash.what}` : '';
  const at = node.flash === null ? '' : clock(node.flash.time ?? node.flash.at);
  const by = node.flash === null ? undefined : `${node.flash.by ? `by ${node.flash.by}, ` : ''}changed at ${at}`;
  const isTold = node.flash !== null && !node.flash.isOver;
  const total =
    node.isOpen && node.list?.total !== undefined && node.list.total > 0
      ? `${node.list.isAbout ? 'about ' : ''}${count(node.list.total)}`
      : undefined;
  return (
    <div
      class={`row ${isChosen ? 'chosen' : ''} ${flash}`}
      style={indent}
      id={`row${row.index}`}
      role="treeitem"
      title={by}
      aria-level={row.depth + 1}
      aria-posinset={row.place}
      aria-setsize={row.size}
      aria-expanded={isObject ? node.isOpen : undefined}
      aria-selected={isChosen}
      data-path={textOf(node.path)}
      onClick={() => act.choose(node)}
      onDblClick={() => act.enter(node)}
      onContextMenu={(event) => {
        event.preventDefault();
        act.choose(node);
        act.menu(node, { x: event.clientX, y: event.clientY });
      }}
    >
      {isObject ? (
        <button
          type="button"
          class={`caret ${node.isOpen ? 'open' : ''}`}
          tabIndex={-1}
          aria-label={`${node.isOpen ? 'Close' : 'Open'} ${node.key ?? '/'}`}
          onClick={(event) => {
            event.stopPropagation();
            act.toggle(node);
          }}
        >
          <Icon name="right" />
        </button>
      ) : (
        <span class="caret" />
      )}
      <span class="key" dir="auto">
        {isRoot ? textOf(node.path) : node.key}
      </span>
      {node.priority !== undefined && (
        <span class="badge" title="Its priority">
          {toJson(node.priority)}
        </span>
      )}
      {isEdited ? (
        <InlineEditor node={node} onClose={act.edited} />
      ) : (
        <>
          {isObject ? (
            <span class="hint">
              {node.isOpen
                ? total
                : node.first !== undefined
                  ? `{ ${node.first.slice(0, 60)}${node.first.length > 60 ? '…' : ''} … }`
                  : ''}
            </span>
          ) : node.kind === 'unknown' ? null : (
            <span
              class="edit"
              onClick={(event) => {
                event.stopPropagation();
                act.choose(node);
                act.edit(node);
              }}
            >
              <Value node={node} />
            </span>
          )}
          {isTold && (
            <span class="by">
              <span class="unseen">changed </span>
              {node.flash.by && <b dir="auto">{node.flash.by}</b>} {at}
            </span>
          )}
          <span class="tools">
            {isObject && (
              <button
                type="button"
                class="icon-button"
                tabIndex={-1}
                aria-label={`Add a child to ${node.key ?? '/'}`}
                title="Add a child"
                onClick={(event) => {
                  event.stopPropagation();
                  act.show({ is: 'add', path: node.path });
                }}
              >
                <Icon name="plus" />
              </button>
            )}
            <button
              type="button"
              class="icon-button"
              tabIndex={-1}
              aria-label={`More for ${node.key ?? '/'}`}
              title="More"
              onClick={(event) => {
                event.stopPropagation();
                act.choose(node);
                const box = event.currentTarget.getBoundingClientRect();
                act.menu(node, { x: box.left, y: box.bottom });
              }}
            >
              <Icon name="more" />
            </button>
          </span>
        </>
      )}
    </div>
  );
}

function Crumbs({ at }) {
  const [isTyping, setTyping] = useState(false);
  if (isTyping) {
    return (
      <form
        class="crumbs"
        onSubmit={(event) => {
          event.preventDefault();
          setTyping(false);
          go('data', parsePath(event.target.elements.path.value));
        }}
      >
        <input
          name="path"
          class="code"
          aria-label="Path"
          defaultValue={textOf(at)}
          autofocus
          spellcheck={false}
          ref={(input) => input?.select()}
          onBlur={() => setTyping(false)}
          onKeyDown={(event) => event.key === 'Escape' && setTyping(false)}
        />
      </form>
    );
  }
  return (
    <nav class="crumbs" aria-label="Path">
      <a href={hrefOf('data', [])}>/</a>
      {at.map((key, i) => (
        <a key={i} href={hrefOf('data', at.slice(0, i + 1))} dir="auto">
          {key}
        </a>
      ))}
      <button type="button" class="type-path" onClick={() => setTyping(true)}>
        go to…
      </button>
    </nav>
  );
}

export function TreePage() {
  const at = path.value;
  const identity = `${namespace.value} ${textOf(at)} ${JSON.stringify(viewAs.value)} ${credential.value !== null}`;
  const tree = useMemo(() => new Tree(at, (error) => say(error.message, { isBad: true })), [identity]);
  useEffect(() => () => tree.end(), [tree]);
  const scroller = useRef();
  const searchBox = useRef();
  const [box, setBox] = useState({ top: 0, height: 600 });
  const [chosen, setChosen] = useState(null);
  const [edited, setEdited] = useState(null);
  const [menu, setMenu] = useState(null);
  const [dialog, setDialog] = useState(null);
  const [isDropping, setDropping] = useState(false);
  tree.version.value; // drawn again when it changes

  useEffect(() => {
    setChosen(tree.root);
    setEdited(null);
    if (box.top > 0) scroller.current.scrollTop = 0; // asked for needlessly it would lay the page out twice
  }, [tree]);
  useEffect(() => {
    const watch = new ResizeObserver(([{ target }]) =>
      setBox((before) => ({ ...before, height: target.clientHeight })),
    );
    watch.observe(scroller.current);
    return () => watch.disconnect();
  }, []);

  // Which rows are seen: of very many a pixel stands for several.
  const pixels = tree.height * kRow;
  const drawn = Math.min(pixels, kPixelsMax);
  const scale = drawn < pixels ? (pixels - box.height) / (drawn - box.height) : 1;
  const firstPixel = box.top * scale;
  const first = Math.max(0, Math.floor(firstPixel / kRow) - 4);
  const rows = tree.rows(first, Math.ceil(box.height / kRow) + 9);
  const seen = useRef(rows);
  seen.current = rows;

  // Gaps that are seen are filled, when the scrolling rests a little.
  useEffect(() => {
    const gap = rows.find((row) => row.gap);
    if (gap === undefined) return undefined;
    const last = rows.filter((row) => row.gap === gap.gap).pop();
    const timer = setTimeout(
      () => gap.list.fill(gap.gap, gap.offset < kBlock ? gap.offset : Math.round((gap.offset + last.offset) / 2) - 10),
      40,
    );
    return () => clearTimeout(timer);
  });

  // What is seen is asked for again, and who changed it is heard where somebody may tell.
  useEffect(() => {
    let isBusy = false;
    let marks = []; // what is told as changed, until it has been read
    const look = async () => {
      if (isBusy || document.visibilityState !== 'visible' || tree.signal.aborted) return;
      isBusy = true;
      const told = marks;
      marks = [];
      await tree.refresh(seen.current).catch(() => {});
      for (const [where, by] of told) tree.mark(where, by);
      isBusy = false;
    };
    const timer = setInterval(() => {
      const over = seen.current.filter(
        ({ node }) => node?.flash && !node.flash.isOver && Date.now() - node.flash.at > kTold,
      );
      for (const { node } of over) node.flash.isOver = true;
      if (over.length > 0) tree.changed();
      look();
    }, 1_000);
    let sooner;
    if (isAdmin.value && viewAs.value === null) {
      watchChanges(
        ({ time, by, changes }) => {
          for (const change of changes) marks.push([parsePath(change.path), { time, by }]);
          marks = marks.slice(-kMarksMax);
          sooner ??= setTimeout(() => {
            sooner = undefined;
            look();
          }, 150);
        },
        () => {},
        tree.signal,
      );
    }
    return () => {
      clearInterval(timer);
      clearTimeout(sooner);
    };
  }, [tree]);

  const reveal = (index) => {
    const from = (index * kRow) / scale;
    const view = scroller.current;
    if (index * kRow < firstPixel) view.scrollTop = from;
    else if ((index + 1) * kRow > firstPixel + box.height) view.scrollTop = from - (box.height - kRow) / scale;
  };
  const chosenIndex = chosen === null ? -1 : tree.indexOf(chosen);
  const choose = (index) => {
    const row = tree.rows(index, 1)[0];
    reveal(index);
    if (row?.node) setChosen(row.node);
  };

  const act = {
    choose: (node) => {
      setChosen(node);
      scroller.current.focus({ preventScroll: true });
    },
    toggle: (node) => (node.isOpen ? tree.close(node) : tree.open(node)),
    enter: (node) => (node.kind === 'object' ? act.toggle(node) : act.edit(node)),
    edit: (node) => {
      const isShort =
        !isNarrow.matches &&
        node.kind === 'leaf' &&
        !(typeof node.value === 'string' && (node.value.length > 120 || node.value.includes('\n')));
      if (isShort) setEdited(node);
      else setDialog({ is: 'edit', path: node.path });
    },
    edited: (isKeyboard) => {
      setEdited(null);
      if (isKeyboard) scroller.current.focus({ preventScroll: true });
    },
    show: setDialog,
    menu: (node, point) => setMenu({ node, at: point }),
    remove: (node) => attempt(() => askToRemove(node, setDialog)),
  };

  const itemsOf = (node) => {
    const isRoot = node.path.length === 0;
    return [
      { label: 'Add a child…', key: 'A', does: () => act.show({ is: 'add', path: node.path }) },
      { label: 'Edit…', key: 'Enter', does: () => act.edit(node) },
      { label: 'Edit as JSON…', does: () => act.show({ is: 'edit', path: node.path }) },
      { label: 'Rename or move…', key: 'F2', isOff: isRoot, does: () => act.show({ is: 'move', path: node.path }) },
      {
        label: 'Priority…',
        isOff: node.kind === 'nothing',
        does: () => act.show({ is: 'priority', path: node.path, now: node.priority }),
      },
      null,
      { label: 'Copy path', key: 'C', does: () => copy(textOf(node.path), 'the path') },
      { label: 'Copy value', does: () => attempt(() => copyValue(node.path)) },
      { label: 'Import JSON…', does: () => act.show({ is: 'import', path: node.path }) },
      { label: 'Export JSON', does: () => attempt(() => exportAt(node.path)) },
      null,
      { label: 'Show only this', does: () => go('data', node.path) },
      { label: 'Query its children', does: () => go('query', node.path) },
      { label: 'History', does: () => go('history', node.path) },
      null,
      { label: 'Delete', key: 'Del', kind: 'danger', does: () => act.remove(node) },
    ];
  };

  const onKeyDown = (event) => {
    if (event.target !== scroller.current || event.altKey || chosen === null) return;
    const node = chosen;
    const page = Math.max(1, Math.floor(box.height / kRow) - 1);
    const keys = {
      ArrowDown: () => choose(chosenIndex + 1),
      ArrowUp: () => chosenIndex > 0 && choose(chosenIndex - 1),
      PageDown: () => choose(Math.min(tree.height - 1, chosenIndex + page)),
      PageUp: () => choose(Math.max(0, chosenIndex - page)),
      Home: () => choose(0),
      End: () => {
        scroller.current.scrollTop = drawn;
        choose(tree.height - 1);
      },
      ArrowRight: () => (node.kind === 'object' && !node.isOpen ? tree.open(node) : choose(chosenIndex + 1)),
      ArrowLeft: () =>
        node.isOpen && node !== tree.root
          ? tree.close(node)
          : choose(Math.max(0, tree.indexOf(tree.find(node.path.slice(0, -1))))),
      Enter: () => act.enter(node),
      ' ': () => act.enter(node),
      F2: () => node.path.length > 0 && act.show({ is: 'move', path: node.path }),
      Delete: () => act.remove(node),
      a: () => act.show({ is: 'add', path: node.path }),
      c: () => copy(textOf(node.path), 'the path'),
      m: () => {
        const row = document.getElementById(`row${chosenIndex}`)?.getBoundingClientRect();
        act.menu(node, { x: (row?.left ?? 100) + 40, y: row?.bottom ?? 100 });
      },
    };
    keys.ContextMenu = keys.m;
    keys['/'] = () => searchBox.current.focus();
    if ((event.ctrlKey || event.metaKey) && event.key === 'z') {
      event.preventDefault();
      undoLast();
      return;
    }
    if ((event.ctrlKey || event.metaKey) && event.key !== 'Home' && event.key !== 'End') return;
    const does = keys[event.key];
    if (does === undefined) return;
    event.preventDefault();
    does();
  };
  const onPaste = (event) => {
    if (event.target !== scroller.current) return;
    event.preventDefault();
    setDialog({ is: 'import', path: (chosen ?? tree.root).path, text: event.clipboardData.getData('text/plain') });
  };
  const onDrop = async (event) => {
    event.preventDefault();
    setDropping(false);
    const row = event.target.closest?.('[data-path]');
    const file = event.dataTransfer.files[0];
    if (file)
      setDialog({ is: 'import', path: row ? parsePath(row.dataset.path) : tree.root.path, text: await file.text() });
  };

  // What the last change offers, for a keyboard.
  const undoLast = () => {
    const last = sayings.value.findLast(({ undo, label }) => undo && label === 'Undo');
    if (last === undefined) return say('Nothing can be taken back here any more.');
    unsay(last.id);
    return last.undo();
  };
  const noted = rows.find(({ note, list }) => note && list.is !== 'loading');

  const searched =
    chosen !== null && (chosen.kind === 'object' || chosen === tree.root) && chosen.isOpen
      ? chosen
      : chosen === null
        ? tree.root
        : (tree.find(chosen.path.slice(0, -1)) ?? tree.root);
  const prefix = searched.list?.prefix ?? '';
  return (
    <section class="page tree-page" aria-label="Data">
      <div class="bar">
        <Crumbs at={at} />
        <form
          class="search"
          role="search"
          onSubmit={(event) => {
            event.preventDefault();
            tree.search(searched, event.target.elements.prefix.value.trim());
          }}
        >
          <Icon name="search" />
          <input
            name="prefix"
            type="search"
            ref={searchBox}
            key={`${searched.id} ${prefix}`}
            defaultValue={prefix}
            spellcheck={false}
            placeholder={`Keys in ${searched.key ?? '/'} that begin with…`}
            aria-label={`Keys in ${textOf(searched.path)} that begin with`}
            onSearch={(event) => event.target.value === '' && prefix !== '' && tree.search(searched, '')}
          />
          {prefix !== '' && <IconButton icon="close" label="Show all keys" onClick={() => tree.search(searched, '')} />}
        </form>
        <Button
          onClick={() =>
            act.show({
              is: 'add',
              path: (chosen ?? tree.root).kind === 'leaf' ? tree.root.path : (chosen ?? tree.root).path,
            })
          }
        >
          Add
        </Button>
        <Button onClick={() => act.show({ is: 'import', path: tree.root.path })}>Import</Button>
        <Button onClick={() => attempt(() => exportAt(tree.root.path))}>Export</Button>
      </div>
      <div
        class={`tree ${isDropping ? 'dropping' : ''}`}
        ref={scroller}
        role="tree"
        tabIndex={0}
        aria-label={`Data at ${textOf(at)}`}
        aria-description={noted && noteOf(noted.list)}
        aria-activedescendant={
          rows.some(({ node }) => node === chosen && node !== undefined) ? `row${chosenIndex}` : undefined
        }
        onScroll={(event) => setBox({ top: event.target.scrollTop, height: event.target.clientHeight })}
        onKeyDown={onKeyDown}
        onPaste={onPaste}
        onDragOver={(event) => {
          event.preventDefault();
          setDropping(true);
        }}
        onDragLeave={() => setDropping(false)}
        onDrop={onDrop}
      >
        <div class="rows" role="none" style={{ height: `${drawn}px` }}>
          {rows.map((row) => (
            <Row
              key={row.node?.id ?? `gap ${row.index}`}
              {...{ row, tree, act }}
              top={Math.round(row.index * kRow - firstPixel + box.top)}
              isChosen={row.node !== undefined && row.node === chosen}
              isEdited={row.node !== undefined && row.node === edited}
            />
          ))}
        </div>
      </div>
      <p class="foot">
        Arrows move and open, <kbd>Enter</kbd> edits, <kbd>A</kbd> adds, <kbd>Del</kbd> deletes, <kbd>Ctrl Z</kbd> takes
        that back, <kbd>/</kbd> finds keys, <kbd>M</kbd> has more.
      </p>
      {menu && (
        <Menu
          items={itemsOf(menu.node)}
          at={menu.at}
          label={`Actions for ${textOf(menu.node.path)}`}
          onClose={() => setMenu(null)}
        />
      )}
      {dialog && (
        <PlaceDialog
          which={dialog}
          key={`${dialog.is} ${textOf(dialog.path)}`}
          onClose={() => {
            setDialog(null);
            setTimeout(() => tree.refresh(seen.current).catch(() => {}), 50);
          }}
        />
      )}
    </section>
  );
}
