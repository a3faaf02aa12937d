// A list that several people share: each change is shown at once, and taken back when the server refuses the change.
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { newId, useItems, useWrite } from './items.js';

function List() {
  const { data: items, isPending } = useItems();
  const add = useWrite();
  const remove = useWrite();

  const submit = (event) => {
    event.preventDefault();
    add.mutate({ id: newId(), item: { text: new FormData(event.target).get('text') } });
    event.target.reset();
  };

  if (isPending) return <p>Loading</p>;
  return (
    <>
      <h1>List</h1>
      <ul>
        {Object.entries(items).map(([id, item]) => item && (
          <li key={id} className={item.sending && 'sending'}>
            <span>{item.text}</span>{' '}
            <button disabled={item.sending} onClick={() => remove.mutate({ id })}>remove</button>
          </li>
        ))}
      </ul>
      <form onSubmit={submit}>
        <input name="text" placeholder="Add something, and press Enter" autoComplete="off" required />
      </form>
      {add.isError && <p role="alert">“{add.variables.item.text}” was not saved: {add.error.message}</p>}
      {remove.isError && <p role="alert">Not removed: {remove.error.message}</p>}
    </>
  );
}

// The SDK knows whether it reaches the server, so no change waits for the browser to believe that it is online.
const client = new QueryClient({ defaultOptions: { mutations: { networkMode: 'always' } } });

createRoot(document.querySelector('#root')).render(
  <StrictMode>
    <QueryClientProvider client={client}>
      <List />
    </QueryClientProvider>
  </StrictMode>,
);
