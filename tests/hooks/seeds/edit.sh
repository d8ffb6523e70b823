# PATCH /repos/:owner/:repo/hooks/:id
curl -u "user:$PASSWORD" -i \
  -X PATCH "$API/repos/octocat/Hello-World/hooks/1" \
  --data @- <<END
{
  "active": true,
  "add_events": [
    "pull_request"
  ]
}
END
