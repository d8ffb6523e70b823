# POST /repos/:owner/:repo/hooks/:id/pings
curl -u "user:$PASSWORD" -i \
  -X POST "$API/repos/octocat/Hello-World/hooks/1/pings"
