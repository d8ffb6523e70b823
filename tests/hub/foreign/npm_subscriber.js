// A subscriber made of the npm package pubsubhubbub: subscribes to a topic at a hub, prints what it gets, leaves when
// told so. Usage: npm_subscriber.js HUB TOPIC

'use strict';

const pubsubhubbub = require('pubsubhubbub');
const readline = require('readline');

const [hub, topic] = process.argv.slice(2);
const subscriber = pubsubhubbub.createServer({});
const say = text => process.stdout.write(text + '\n');
const report = error => error && say('error: ' + error.message);

subscriber.on('listen', () => {
    subscriber.callbackUrl = 'http://127.0.0.1:' + subscriber.server.address().port + '/';
    subscriber.subscribe(topic, hub, report);
});
subscriber.on('subscribe', () => say('subscribed'));
subscriber.on('unsubscribe', () => say('unsubscribed'));
subscriber.on('denied', () => say('denied'));
subscriber.on('error', report);
subscriber.on('feed', data => say('got ' + data.feed.toString('hex')));
subscriber.listen(0, '127.0.0.1');

readline.createInterface({ input: process.stdin }).on('line', line => {
    if (line === 'leave') {
        subscriber.unsubscribe(topic, hub, report);
    }
});
