# DELETE /repos/:owner/:repo/hooks/:id
curl -u "user:$PASSWORD" -i \
  -X DELETE "$API/repos/octocat/Hello-World/hooks/1"
