# GET /repos/:owner/:repo/hooks/:id
curl -u "user:$PASSWORD" -i \
  "$API/repos/octocat/Hello-World/hooks/1"
