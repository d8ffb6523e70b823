# POST /repos/:owner/:repo/hooks
curl -u "user:$PASSWORD" -i \
  "$API/repos/octocat/Hello-World/hooks" \
  --data @- <<END
{
  "name": "web",
  "active": true,
  "events": [
    "push",
    "pull_request"
  ],
  "config": {
    "url": "$EXAMPLE/webhook",
    "content_type": "json"
  }
}
END
