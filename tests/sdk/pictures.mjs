// Takes pictures of the console, of a server with people in it: node pictures.mjs [FOLDER]. Without a folder the two of the README
// are taken anew; with one, all pages in four looks go there, to be looked at.
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ref, set } from '@firebase/database';
import { closeApps } from './support/apps.mjs';
import { looks, openConsole, owner, row, startBrowser } from './support/console.mjs';
import { House, houseFlags } from './support/console_house.mjs';
import { rest } from './support/rest.mjs';
import { Server } from './support/server.mjs';
import { closeClients } from './support/supabase.mjs';
import { Receiver } from './support/webhook_receiver.mjs';
import { closeYjs } from './support/yjs.mjs';

const folder = process.argv[2];
const ends = [closeApps, closeClients, closeYjs];
const after = (end) => ends.push(end);
const receiver = await Receiver.start(after);
receiver.answer = () => 500;
const server = await Server.start(after, houseFlags(receiver));
const browser = await startBrowser(after);

const rules = `{
  "rules": {
    "menu": { ".read": true },
    "orders": { "$id": {
      ".read": "auth != null && data.child('guest').val() == auth.uid",
      ".write": "auth != null && newData.child('guest').val() == auth.uid",
      "cups": { ".validate": "newData.isNumber() && newData.val() < 10" }
    }, ".indexOn": ["at"] },
    "rooms": { "$room": {
      ".read": "auth != null && data.child('members').hasChild(auth.uid)",
      ".write": "auth != null && data.child('members').child(auth.uid).val() == true",
      "messages": { ".indexOn": "sent" }
    } },
    "secret": { ".read": false, ".write": false },
    "open": { ".read": true, ".write": true }
  }
}`;
const menu = { tea: { 'Grüner Tee': 3.4, Assam: 2.9, Rooibos: 2.6 }, cake: { Käsekuchen: 4.1, 'Mohn-Streusel': 3.8 } };
const orders = Object.fromEntries(
  Array.from({ length: 1200 }, (_, i) => [
    `-Nq${String(i).padStart(5, '0')}`,
    { guest: ['ada', 'bob', 'eve'][i % 3], cups: 1 + (i % 4), at: 1798000000000 + i * 61_000, paid: i % 5 > 0 },
  ]),
);
const tea = {
  title: 'Tea at four',
  members: { ada: true, bob: true },
  messages: { m1: { sent: 1798000000000, text: 'Is the kettle on?' }, m2: { sent: 1798000060000, text: 'Since ten minutes.' } },
};

const house = new House(server, 'teahouse');
await house.ask('PUT', '/.json', { menu, orders, rooms: { tea }, open: { list: { a: { n: 1 } }, status: 'open' }, seats: 24 });
await rest(server, 'teahouse', 'PUT', '/.settings/rules.json', { headers: owner, body: rules });
for (let i = 0; i < 30; ++i) await house.ask('PUT', '/seats.json', 24 - (i % 9));
const ada = await house.enter('ada', 'away');
await house.enter('bob', 'away');
await house.join('room: tea', 'ada', { typing: true });
await house.write('open/letter', 'To whom it may concern');
await house.hook(receiver.url, '/open');
await house.ask('PUT', '/open/status.json', 'busy');
await house.ask('GET', '/orders.json', undefined, 'orderBy="cups"').catch(() => {});

// What shades the rules: some are let in, and some are not.
for (const uid of ['ada', 'bob', 'eve', null]) {
  const auth = encodeURIComponent(JSON.stringify(uid === null ? null : { uid }));
  const ask = (method, path, body) =>
    rest(server, 'teahouse', method, path, { headers: owner, query: `auth_variable_override=${auth}`, body });
  await ask('GET', '/rooms/tea.json');
  await ask('PUT', '/rooms/tea/messages/m2/sent.json', '1798000060000');
  await ask('GET', '/orders/-Nq00001.json');
  await ask('PUT', '/orders/-Nq00001/cups.json', '3');
  await ask('GET', '/menu.json');
}

const pages = {
  data: 'data',
  query: 'query?path=/orders',
  rules: 'rules?path=/rooms/tea/messages',
  history: 'history?path=/seats',
  activity: 'activity',
  people: 'people',
  channels: 'channels',
  documents: 'documents',
  webhooks: 'webhooks',
  health: 'health',
  spaces: 'spaces',
};
const hashOf = (name) => `#${pages[name]}${pages[name].includes('?') ? '&' : '?'}ns=teahouse`;

async function shoot(page, file, quality = 70) {
  const session = await page.context().newCDPSession(page);
  const { data } = await session.send('Page.captureScreenshot', { format: file.split('.').pop(), ...(quality && { quality }) });
  writeFileSync(file, Buffer.from(data, 'base64'));
}
const settle = (page) => page.waitForTimeout(1_500);

async function openTree(page) {
  await row(page, '/menu').waitFor();
  for (const path of ['/menu', '/menu/tea', '/open', '/rooms', '/rooms/tea', '/rooms/tea/messages', '/rooms/tea/messages/m2']) {
    await row(page, path).click();
    await page.keyboard.press('ArrowRight');
  }
  await row(page, '/rooms/tea/messages/m2/text').waitFor();
}
async function askRules(page) {
  await page.getByRole('textbox', { name: /^Rules of/ }).waitFor();
  await page.getByLabel('User id').fill('eve');
  await page.getByRole('button', { name: 'Ask', exact: true }).click();
  await page.getByText('Denied', { exact: true }).waitFor();
  await page.getByLabel('Coverage').check();
}

if (folder === undefined) {
  const readme = { deviceScaleFactor: 1, viewport: { width: 1200, height: 675 } };
  const to = (name) => fileURLToPath(new URL(`../../net/admin/console/${name}.webp`, import.meta.url));
  const light = await openConsole(browser, server, hashOf('data'), { ...readme, colorScheme: 'light' });
  await openTree(light.page);
  await light.page.emulateMedia({ reducedMotion: 'no-preference' }); // what is changed is lit
  await settle(light.page);
  await set(ref(ada, 'rooms/tea/messages/m2/text'), 'Since ten minutes. Come down!');
  await light.page.getByText('Come down!').waitFor();
  await row(light.page, '/rooms/tea/messages/m2/text').locator('.by').getByText('ada').waitFor();
  await shoot(light.page, to('data'));
  const dark = await openConsole(browser, server, hashOf('rules'), { ...readme, colorScheme: 'dark' });
  await askRules(dark.page);
  await settle(dark.page);
  await shoot(dark.page, to('rules'));
} else {
  mkdirSync(folder, { recursive: true });
  for (const look of looks) {
    for (const name of Object.keys(pages)) {
      const { page, context, wrongs } = await openConsole(browser, server, hashOf(name), look);
      await house.knock(ada, 'k');
      if (name === 'data') await openTree(page);
      if (name === 'rules') await askRules(page);
      if (name === 'activity') {
        await settle(page);
        for (const key of ['a', 'b']) await house.knock(ada, key);
      }
      await settle(page);
      if (wrongs.length > 0) console.log(name, look.name, wrongs);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (wide > 0) console.log(`${name}, ${look.name}: ${wide} px too wide`);
      await shoot(page, `${folder}/${name}-${look.colorScheme}-${look.viewport.width}.png`, undefined);
      await context.close();
    }
  }
}
for (const end of ends.reverse()) await end();
process.exit(0); // what is still connected goes with it
