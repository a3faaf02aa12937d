// How long tests wait for what has to happen; in Node and in pages.
export const patience = 30_000; // milliseconds, with anything that has to happen

// What `promise` brings; an error that names `what` when it takes too long.
export async function soon(promise, what, limit = patience) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${limit} ms for ${what}`)), limit);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
