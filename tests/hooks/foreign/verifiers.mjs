// Receivers made of npm packages. In: questions, each a line of JSON with `ask` and what it needs; a delivery has `headers`
// (names in lower case) and `body` (base64). Out: for each a line {"accepted": value}, {"refused": reason}, or {"broken": stack}
// when the package did not decide.

import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

import { verify } from '@octokit/webhooks-methods';
import Ajv from 'ajv';
import addFormats from 'ajv-formats';
import { Webhook, WebhookVerificationError } from 'standardwebhooks';
import XHubSignature from 'x-hub-signature';

class Refusal extends Error {}

const asks = {
    async octokit({ secret, headers, body }) {
        if (!await verify(secret, body.toString(), signature(headers, 'x-hub-signature-256'))) {
            throw new Refusal('another signature');
        }
        return true;
    },
    'x-hub-signature'({ algorithm, header, secret, headers, body }) {
        if (!new XHubSignature(algorithm, secret).verify(signature(headers, header), body)) {
            throw new Refusal('another signature');
        }
        return true;
    },
    standardwebhooks({ secret, headers, body }) {
        const webhook = secret.startsWith('whsec_') ? new Webhook(secret) : new Webhook(Buffer.from(secret), { format: 'raw' });
        webhook.verify(body, headers, { jsonParse: headers['content-type'] === 'application/json' });
        return true;
    },
    schema({ schema, value }) {
        const validate = ajv().compile({ $ref: `github#/components/schemas/${schema}` });
        if (!validate(value)) {
            throw new Refusal(validate.errors.map(error => `${error.instancePath}: ${error.message}`).join('; '));
        }
        return true;
    },
    example({ example }) {
        return github().components.examples[example].value;
    },
};

function signature(headers, name) {
    if (headers[name] === undefined) {
        throw new Refusal(`no ${name}`);
    }
    return headers[name];
}

const github = once(() => JSON.parse(readFileSync('node_modules/@octokit/openapi/generated/api.github.com.json')));

const ajv = once(() => {
    // Not strict: OpenAPI has words of its own, such as `example`.
    const ajv = addFormats(new Ajv({ allErrors: true, strict: false }));
    return ajv.addSchema({ $id: 'github', components: { schemas: github().components.schemas } });
});

function once(make) {
    let made;
    return () => made ??= make();
}

for await (const line of createInterface({ input: process.stdin })) {
    const question = JSON.parse(line);
    const body = question.body && Buffer.from(question.body, 'base64');
    let answer;
    try {
        answer = { accepted: await asks[question.ask]({ ...question, body }) };
    } catch (error) {
        const isRefusal = error instanceof Refusal || error instanceof WebhookVerificationError;
        answer = isRefusal ? { refused: error.message } : { broken: error.stack };
    }
    process.stdout.write(JSON.stringify(answer) + '\n');
}
