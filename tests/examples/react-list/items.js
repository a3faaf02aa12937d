// The list in the query cache: what the listener has told, and over that the writes that the server has not answered.
// A write that is refused is left out, and the list is what the server has, also when others wrote meanwhile.
import { useEffect } from 'react';
import { skipToken, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { initializeApp } from 'firebase/app';
import { child, getDatabase, onValue, push, ref, runTransaction } from 'firebase/database';

const database = getDatabase(initializeApp({ databaseURL: 'http://127.0.0.1:9000?ns=list' }));
const items = ref(database, 'items');

const queryKey = ['items'];
let told; // {id: {text}, …}, from the listener
const sending = new Map(); // id: {text, sending: true}, or null for one that is being removed

function show(client) {
  if (told) client.setQueryData(queryKey, { ...told, ...Object.fromEntries(sending) });
}

// {id: {text, sending?}, …}; null in place of an item that is being removed.
export function useItems() {
  const client = useQueryClient();
  useEffect(
    () =>
      onValue(items, (snapshot) => {
        told = snapshot.val() ?? {};
        show(client);
      }),
    [client],
  );
  return useQuery({ queryKey, queryFn: skipToken });
}

// mutate({id, item}); without an item, the one of that id is removed.
export function useWrite() {
  const client = useQueryClient();
  return useMutation({
    // The SDK could tell the listener of a write before the server has answered. Here the query cache does that.
    mutationFn: ({ id, item = null }) => runTransaction(child(items, id), () => item, { applyLocally: false }),
    onMutate: ({ id, item }) => {
      sending.set(id, item ? { ...item, sending: true } : null);
      show(client);
    },
    // The listener has told of a write before its answer comes, so a write that succeeded stays in the list.
    onSettled: (_result, _error, { id }) => {
      sending.delete(id);
      show(client);
    },
  });
}

export const newId = () => push(items).key;
